# SPDX-License-Identifier: Apache-2.0
"""`sensebind calibrate scores`: temperature and thresholds of zero-shot scores."""

from pathlib import Path
from typing import Annotated

import typer

from sensebind_calibration.commands.destination import Destination
from sensebind_calibration.commands.options import (
    AsOption,
    ForceOption,
    JsonOption,
    OutOption,
)


def scores(
    records: Annotated[
        list[str],
        typer.Argument(
            metavar="[CLASS=]FILE.parquet…",
            help="Records that `sensebind replay --out` wrote, and their class; 'unknown' is what "
            "is of no class.",
        ),
    ],
    prompts: Annotated[
        str,
        typer.Option("--prompts", metavar="FILE|TEXTS", help="Classes, as `sensebind replay` has."),
    ],
    truth: Annotated[
        Path | None,
        typer.Option(
            "--truth",
            metavar="TABLE.csv",
            help="Spans and classes, for files without one: columns start_s, end_s, label.",
        ),
    ] = None,
    bundle: Annotated[
        str, typer.Option("--bundle", metavar="NAME|FOLDER", help="That made the records.")
    ] = "demo",
    stream: Annotated[
        str | None, typer.Option("--stream", metavar="NAME", help="Take this stream's records.")
    ] = None,
    false_alarms: Annotated[
        float,
        typer.Option(
            "--false-alarms",
            metavar="SHARE",
            min=0.0001,
            max=0.5,
            help="Of windows without a class, those that may be told to be of it.",
        ),
    ] = 0.05,
    apart: Annotated[
        float,
        typer.Option("--apart", metavar="SECONDS", min=0, help="Least time between windows."),
    ] = 1.0,
    out: OutOption = Path("calibration.toml"),
    named: AsOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Temperature and thresholds of zero-shot scores, from windows whose class is known.

    Twenty windows of two classes and more tell the temperature; nineteen of no class tell from
    which cosine on a class is told at all, at 5 % false alarms.
    """
    from sensebind.bundle import Bundle
    from sensebind.errors import InputError
    from sensebind.storage import sha256_of_file
    from sensebind.zero_shot import ZeroShot, parse_prompts, prompts_sha256
    from sensebind_calibration.recording import dated, joined_sha256, refusals_of
    from sensebind_calibration.score_windows import read_windows, records_of
    from sensebind_calibration.scores import calibrate_scores, doubts

    classes = parse_prompts(prompts)
    files = [records_of(text, list(classes)) for text in records]
    windows = read_windows(files, list(classes), truth=truth, stream=stream, apart_s=apart)
    name = named or stream or windows.stream
    if not name:
        raise InputError(
            "the records are of several streams; choose one by --stream, or take them all and "
            "name the stream the scores are for with --as"
        )
    destination = Destination(out, "scores", named, force, json)
    destination.claim(name)
    with Bundle.load(bundle) as loaded:
        if loaded.space_id != windows.space_id:
            raise InputError(
                f"the records are of the space {windows.space_id[:16]}, the bundle "
                f"{loaded.name!r} is of {loaded.space_id[:16]}: they cannot be compared; name the "
                "right one with --bundle"
            )
        cosines = ZeroShot(loaded, classes).cosines(windows.vectors)
    provenance = dated(
        ", ".join(file.path.name for file in files),
        joined_sha256([sha256_of_file(file.path) for file in files]),
        readings=len(windows.classes),
        duration_s=windows.span_s,
    )
    digest, labels = prompts_sha256(classes), list(classes)
    with refusals_of(stream=name):
        section = calibrate_scores(
            windows, cosines, labels, digest, provenance, false_alarms=false_alarms
        )
    told = doubts(section, windows, false_alarms)
    destination.write(name, section, told)
