# SPDX-License-Identifier: Apache-2.0
"""`sensebind calibrate depth`: scale, offset and defects of a depth camera from walls."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sensebind_calibration.commands.options import (
    AsOption,
    ForceOption,
    JsonOption,
    OutOption,
    SerialOption,
    TemperatureOption,
    conclude,
)

if TYPE_CHECKING:
    from sensebind_calibration.depth_walls import Wall


def depth(
    recordings: Annotated[
        list[Path],
        typer.Argument(metavar="RECORDING…", help="A bare wall, from one or more distances."),
    ],
    distance: Annotated[
        list[str] | None,
        typer.Option(
            "--distance",
            metavar="METRES[@FROM..TO]",
            help="From the front glass to the wall, for each recording in order, or for parts of "
            "one (seconds after its begin).",
        ),
    ] = None,
    scene: Annotated[
        Path | None,
        typer.Option("--scene", metavar="RECORDING", help="Objects, to count flying pixels."),
    ] = None,
    tape_error: Annotated[
        float,
        typer.Option("--tape-error", metavar="METRES", min=0, max=0.1, help="Of the distances."),
    ] = 0.002,
    out: OutOption = Path("calibration.toml"),
    stream: Annotated[
        str | None,
        typer.Option(
            "--stream",
            metavar="TOPIC[=depth,KEY=VALUE…]",
            help="Which one, if there are several, or its unit is another: /depth=depth,unit=mm.",
        ),
    ] = None,
    serial: SerialOption = "",
    temperature: TemperatureOption = None,
    named: AsOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Scale, offset, range and defects of a depth camera that looked at walls.

    Put it on a tripod before a bare wall that fills its picture, three seconds from each of two
    distances or more, and measure them.
    """
    from sensebind.cli import output
    from sensebind_calibration.depth import doubts
    from sensebind_calibration.depth_walls import calibrate_depth, see_wall
    from sensebind_calibration.file import check_free
    from sensebind_calibration.known import Known, known_parts

    parts = known_parts(recordings, distance or [], "--distance")
    walls: list[Wall] = []
    for part in parts:
        with output.progress(f"reading {part.recording.name}") as advance:
            walls.append(see_wall(part, stream, advance))
        if len(walls) == 1:
            name = named or walls[0].stream
            check_free(out, "depth", name, force=force)
    seen = None if scene is None else see_wall(Known(scene, None, None), stream)
    section = calibrate_depth(
        walls,
        seen,
        out,
        tape_error_m=tape_error,
        serial=serial or walls[0].serial,
        temperature_c=temperature,
    )
    told = [*dict.fromkeys(note for wall in walls for note in wall.notes), *doubts(section)]
    conclude(out, "depth", name, section, told, force=force, json=json)
