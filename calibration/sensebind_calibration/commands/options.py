# SPDX-License-Identifier: Apache-2.0
"""Options that all estimators share, and what they have in common on the command line."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from sensebind.cli import output
from sensebind.sources.base import Source
from sensebind.types import SampleBlock

RecordingArgument = Annotated[
    Path, typer.Argument(metavar="RECORDING", help="Anything `sensebind replay` reads.")
]
OutOption = Annotated[
    Path, typer.Option("--out", metavar="FILE.toml", help="Add the section to this file.")
]
StreamOption = Annotated[
    str | None,
    typer.Option(
        "--stream",
        metavar="TOPIC[=imu,KEY=VALUE…]",
        help="The IMU, where there are several or its units are others: "
        "/imu=imu,unit=g;deg/s (docs/recordings.md).",
    ),
]
FromOption = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="Leave out what came before.")
]
ToOption = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="Leave out what came from then on.")
]
SerialOption = Annotated[
    str, typer.Option("--serial", metavar="TEXT", help="Serial number of the sensor.")
]
TemperatureOption = Annotated[
    float | None,
    typer.Option("--temperature", metavar="CELSIUS", help="Of the sensor, noted in the file."),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace the section; the old file is kept as .bak.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the section as one line of JSON on stdout.")
]


def watched(
    source: Source, advance: output.Advance
) -> Callable[[Iterable[SampleBlock]], Iterator[SampleBlock]]:
    """What passes blocks on and moves a bar."""

    def watch(blocks: Iterable[SampleBlock]) -> Iterator[SampleBlock]:
        for block in blocks:
            yield block
            advance(source.progress())

    return watch


def tell_written(out: Path, kept: Path | None, *, quiet: bool) -> None:
    """Say what was written, and where the old file is."""
    if not quiet:
        old = f"; the old file is {kept}" if kept else ""
        output.say(f"written to {out}{old}")
