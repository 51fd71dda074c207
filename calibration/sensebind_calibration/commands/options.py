# SPDX-License-Identifier: Apache-2.0
"""Options that all estimators share, and what they have in common on the command line."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from sensebind.cli import output
from sensebind.sources.base import Source

AnyBlock = TypeVar("AnyBlock")

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
AsOption = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="STREAM",
        help="Write the section of this stream: the one the sensor has in later runs.",
    ),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace the section; the old file is kept as .bak.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the section as one line of JSON on stdout.")
]


def watched(
    source: Source, advance: output.Advance
) -> Callable[[Iterable[AnyBlock]], Iterator[AnyBlock]]:
    """What passes blocks on and moves a bar."""

    def watch(blocks: Iterable[AnyBlock]) -> Iterator[AnyBlock]:
        for block in blocks:
            yield block
            advance(source.progress())

    return watch
