# SPDX-License-Identifier: Apache-2.0
"""`sensebind calibrate depth`: scale, offset and defects of a depth camera from walls."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sensebind_calibration.commands.destination import Destination
from sensebind_calibration.commands.devices import (
    RealSenseOption,
    SecondsOption,
    captured_one_by_one,
)
from sensebind_calibration.commands.options import (
    AsOption,
    ForceOption,
    JsonOption,
    OutOption,
    SerialOption,
    TemperatureOption,
)

if TYPE_CHECKING:
    from sensebind_calibration.depth_walls import Wall
    from sensebind_calibration.known import Known


def depth(
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RECORDING…]", help="A bare wall, from one or more distances."),
    ] = None,
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
    realsense: RealSenseOption = None,
    seconds: SecondsOption = 5.0,
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
    from sensebind.errors import InputError
    from sensebind_calibration.depth import NO_DISTANCE, doubts
    from sensebind_calibration.depth_walls import calibrate_depth, see_wall
    from sensebind_calibration.known import Known, known_parts

    destination = Destination(out, "depth", named, force, json)

    if (realsense is None) is not bool(recordings):
        raise InputError("give either RECORDINGs or --realsense SERIAL ('default' for any)")
    if not distance:
        output.warning(NO_DISTANCE)
    if realsense is not None:
        parts = _live_parts(realsense, distance or [], stream, destination, seconds)
    else:
        parts = known_parts(recordings or [], distance or [], "--distance")
    first, *others = parts
    walls = [_seen(first, stream, destination.claim), *(_seen(part, stream) for part in others)]
    seen = None if scene is None else see_wall(Known(scene, None, None), stream)
    section = calibrate_depth(
        walls,
        seen,
        out,
        tape_error_m=tape_error,
        serial=serial or walls[0].serial,
        temperature_c=temperature,
    )
    notes = dict.fromkeys(note for wall in walls for note in wall.notes)
    new = (doubt for doubt in doubts(section) if distance or doubt != NO_DISTANCE)
    destination.write(walls[0].stream, section, [*notes, *new])


def _seen(
    part: "Known", stream: str | None, claim: Callable[[str], None] = lambda _stream: None
) -> "Wall":
    from sensebind.cli import output
    from sensebind_calibration.depth_walls import see_wall

    with output.progress(f"reading {part.recording.name}") as advance:
        return see_wall(part, stream, advance, claim)


def _live_parts(
    realsense: str,
    distances: list[str],
    stream: str | None,
    destination: Destination,
    seconds: float,
) -> "list[Known]":
    """What the camera sees from each distance."""
    from sensebind.cli.live_devices import AskedDevices
    from sensebind.types import Modality
    from sensebind_calibration.known import known_values
    from sensebind_calibration.recording import one_stream

    values: list[float | None] = [*known_values(distances, "--distance")] or [None]
    wishes = [
        ("let the camera look at a bare wall" + ("" if v is None else f" {v:g} m away"), v)
        for v in values
    ]
    return captured_one_by_one(
        AskedDevices(realsense=realsense),
        lambda infos: one_stream(infos, Modality.DEPTH, stream),
        destination.claim,
        seconds,
        wishes,
    )
