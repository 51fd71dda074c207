# SPDX-License-Identifier: Apache-2.0
"""`sensebind embed`: pictures, sounds, IMU tables and texts to vectors."""

import sys
from enum import Enum
from typing import Annotated

import typer

from sensebind.cli.options import (
    BackendOption,
    BundleOption,
    CalibrationOption,
    JsonOption,
    OutOption,
    PromptsOption,
    ThreadsOption,
)
from sensebind.errors import InputError
from sensebind.types import Modality


class Clips(str, Enum):
    """How a file that is longer than a window is embedded."""

    ALL = "all"
    IMAGEBIND = "imagebind"


def embed(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILES|FOLDERS|-]…",
            help="Pictures, sounds, IMU tables (.csv, .parquet), lines of text (.txt), folders of "
            "them; - reads paths from standard input, or texts with --modality text.",
        ),
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option("--text", metavar="TEXT", help="A text; may be repeated.")
    ] = None,
    modality: Annotated[
        Modality | None,
        typer.Option("--modality", help="What the files are, if their suffix does not say it."),
    ] = None,
    clips: Annotated[
        Clips,
        typer.Option(
            "--clips",
            help="For files longer than a window: all gives a vector per window, imagebind one "
            "for three clips spread over the file.",
        ),
    ] = Clips.ALL,
    focal: Annotated[
        float | None,
        typer.Option(
            "--focal",
            metavar="PIXELS",
            min=1,
            help="Focal length of the camera of depth pictures, for encoders of disparities.",
        ),
    ] = None,
    out: OutOption = None,
    bundle: BundleOption = "demo",
    prompts: PromptsOption = None,
    calibration: CalibrationOption = None,
    backend: BackendOption = "auto",
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Embed pictures, sounds, IMU tables and texts; print a table or write a file."""
    from sensebind.bundle import Bundle
    from sensebind.calibration import Calibration
    from sensebind.cli.inputs import find_items
    from sensebind.cli.items_run import embed_items
    from sensebind.sinks import check_output

    if out is not None:
        check_output(out)
    items = list(find_items(files or (), text or (), modality, sys.stdin))
    if not items:
        raise InputError(
            "there is nothing to embed; give files, folders, - or --text, for example: "
            "sensebind embed photo.jpg --text 'a dog'"
        )
    known = None if calibration is None else Calibration.load(calibration)
    with Bundle.load(bundle, backend=backend, threads=threads) as loaded:
        embed_items(
            loaded,
            items,
            prompts=prompts,
            clips=clips is Clips.IMAGEBIND,
            focal_px=focal,
            out=out,
            json=json,
            calibration=known,
        )
