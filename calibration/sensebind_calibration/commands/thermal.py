# SPDX-License-Identifier: Apache-2.0
"""`sensebind calibrate thermal`: scale and offset of a thermal camera from known temperatures."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sensebind_calibration.commands.destination import Destination
from sensebind_calibration.commands.devices import (
    SecondsOption,
    ThermalOption,
    captured_one_by_one,
)
from sensebind_calibration.commands.options import (
    AsOption,
    ForceOption,
    JsonOption,
    OutOption,
    SerialOption,
    TemperatureOption,
    watched,
)

if TYPE_CHECKING:
    from sensebind_calibration.known import Known
    from sensebind_calibration.recording import SenseStream
    from sensebind_calibration.thermal import Heat


def thermal(
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RECORDING…]", help="Things of two or more known temperatures."),
    ] = None,
    celsius: Annotated[
        list[str] | None,
        typer.Option(
            "--celsius",
            metavar="CELSIUS[@FROM..TO]",
            help="Temperature of what fills the middle of the picture, for each recording in "
            "order, or for parts of one (seconds after its begin).",
        ),
    ] = None,
    error: Annotated[
        float,
        typer.Option("--error", metavar="KELVIN", min=0, max=20, help="Of the temperatures told."),
    ] = 0.3,
    camera: ThermalOption = None,
    seconds: SecondsOption = 10.0,
    out: OutOption = Path("calibration.toml"),
    stream: Annotated[
        str | None,
        typer.Option(
            "--stream",
            metavar="TOPIC[=thermal,KEY=VALUE…]",
            help="Which one, if its name does not tell, or its unit: /lwir=thermal,unit=counts.",
        ),
    ] = None,
    serial: SerialOption = "",
    temperature: TemperatureOption = None,
    named: AsOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Scale and offset of a thermal camera that looked at things of known temperatures.

    Let it run for ten minutes, then fill its picture with ice water (0 °C) and hot water, ten
    seconds each.
    """
    from sensebind.errors import InputError
    from sensebind_calibration.known import known_parts
    from sensebind_calibration.recording import refusals_of
    from sensebind_calibration.thermal import calibrate_thermal, doubts

    destination = Destination(out, "thermal", named, force, json)

    if not celsius:
        raise InputError("give --celsius for each of the things, two temperatures at least")
    if (camera is None) is not bool(recordings):
        raise InputError("give either RECORDINGs or --thermal DEVICE")
    if camera is not None:
        parts = _live_parts(camera, celsius, stream, destination, seconds)
    else:
        parts = known_parts(recordings or [], celsius, "--celsius")
    first, *others = parts
    both = [_felt(first, stream, destination.claim), *(_felt(part, stream) for part in others)]
    seen, streams = [heat for heat, _ in both], [found for _, found in both]
    name, serials = streams[0].name, (serial, *(each.serial for each in streams))
    with refusals_of(*(heat.recording for heat in seen), stream=name):
        section = calibrate_thermal(
            seen,
            error_k=error,
            serial=next(filter(None, serials), ""),
            temperature_c=temperature,
        )
    notes = dict.fromkeys(note for each in streams for note in each.notes)
    destination.write(name, section, [*notes, *doubts(section)])


def _felt(
    part: "Known", stream: str | None, claim: Callable[[str], None] = lambda _stream: None
) -> "tuple[Heat, SenseStream]":
    """What the camera saw of one temperature, and in which stream."""
    from sensebind.cli import output
    from sensebind.types import Modality
    from sensebind_calibration.recording import open_sense, refusals_of
    from sensebind_calibration.thermal import feel

    assert part.value is not None
    with open_sense(part.recording, Modality.THERMAL, stream, part.limits) as found:
        claim(found.name)
        with (
            refusals_of(found.source.name, stream=found.name),
            output.progress(f"reading {found.source.name}") as advance,
        ):
            blocks = watched(found.source, advance)(found.blocks())
            known = found.source.name, found.source.sha256()
            return feel(blocks, found.config, part.value, *known), found


def _live_parts(
    camera: str,
    celsius: list[str],
    stream: str | None,
    destination: Destination,
    seconds: float,
) -> "list[Known]":
    """What the camera sees of each temperature."""
    from sensebind.cli.live_devices import AskedDevices
    from sensebind.types import Modality
    from sensebind_calibration.known import known_values
    from sensebind_calibration.recording import one_stream

    wishes = [
        (f"fill the middle of the picture with what has {v:g} degrees Celsius", v)
        for v in known_values(celsius, "--celsius")
    ]
    return captured_one_by_one(
        AskedDevices(thermal=camera),
        lambda infos: one_stream(infos, Modality.THERMAL, stream),
        destination.claim,
        seconds,
        wishes,
    )
