# SPDX-License-Identifier: Apache-2.0
"""`sensebind calibrate microphone`: levels, true rate, range and latency of a microphone."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sensebind_calibration.commands.destination import Destination
from sensebind_calibration.commands.options import (
    AsOption,
    ForceOption,
    FromOption,
    JsonOption,
    OutOption,
    SerialOption,
    TemperatureOption,
    ToOption,
    watched,
)

if TYPE_CHECKING:
    from sensebind.sources.time_range import TimeRange
    from sensebind.specs import LogMelSpec
    from sensebind_calibration.hearing import Heard


def microphone(
    recording: Annotated[
        Path | None,
        typer.Argument(metavar="[RECORDING]", help="Anything `sensebind replay` reads."),
    ] = None,
    out: OutOption = Path("calibration.toml"),
    stream: Annotated[
        str | None,
        typer.Option(
            "--stream", metavar="TOPIC[=audio,KEY=VALUE…]", help="Which one, if there are several."
        ),
    ] = None,
    mic: Annotated[
        str | None,
        typer.Option("--mic", metavar="NAME", help="Listen to this microphone, or to 'default'."),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=5, max=1800, help="How long to listen.")
    ] = 60.0,
    mic_rate: Annotated[
        float | None, typer.Option("--mic-rate", metavar="HZ", help="Rate to listen at.")
    ] = None,
    chirp: Annotated[
        bool, typer.Option("--chirp", help="Play sweeps and measure the latency, too.")
    ] = False,
    target: Annotated[
        float | None,
        typer.Option(
            "--target", metavar="DBFS", min=-60, max=0, help="Level the gain takes loud parts to."
        ),
    ] = None,
    bundle: Annotated[
        str, typer.Option("--bundle", metavar="NAME|FOLDER", help="Whose mel range to look at.")
    ] = "demo",
    begin: FromOption = None,
    end: ToOption = None,
    serial: SerialOption = "",
    temperature: TemperatureOption = None,
    named: AsOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Noise floor, offset, gain, true rate and frequency range of a microphone.

    Be silent for half of the recording; in the other half make the sound that the robot is to
    hear, and one of a wide range: jingle a bunch of keys, clap.
    """
    from sensebind.errors import InputError
    from sensebind.sources.time_range import time_range
    from sensebind_calibration.chirp import latency_of
    from sensebind_calibration.loopback import play_and_record
    from sensebind_calibration.microphone import calibrate_microphone, doubts
    from sensebind_calibration.recording import dated, refusals_of

    if (recording is None) == (mic is None):
        raise InputError("give either a RECORDING or --mic NAME (for instance --mic default)")
    if chirp and mic is None:
        raise InputError("--chirp plays and records at once, which takes --mic NAME")
    destination = Destination(out, "microphone", named, force, json)
    spec = _front_end(bundle)
    device = None if mic == "default" else mic
    latency = None
    notes: list[str] = []
    if recording is not None:
        limits = time_range(begin, end)
        heard, name, sha256, notes = _of_recording(recording, stream, limits, destination.claim)
    else:
        from sensebind.sources.devices.microphone import STREAM

        name, sha256 = STREAM, ""
        destination.claim(name)
        heard = _of_device(device, seconds, mic_rate)
        if chirp:
            latency = latency_of(*play_and_record(device, heard.rate_hz))
    provenance = dated(
        f"microphone {mic}" if recording is None else recording.name,
        sha256,
        rate_hz=heard.rate_hz,
        readings=len(heard.samples),
        duration_s=heard.duration_s,
        serial=serial,
        temperature_c=temperature,
    )
    with refusals_of(provenance.recording, stream=name):
        section = calibrate_microphone(heard, spec, provenance, target_dbfs=target, latency=latency)
    told = [*notes, *doubts(section)]
    destination.write(name, section, told)


def _front_end(bundle: str) -> "LogMelSpec":
    from sensebind.bundle_folder import open_bundle
    from sensebind.specs import LogMelSpec
    from sensebind.types import Modality

    spec = open_bundle(bundle).encoder(Modality.AUDIO).preprocess
    assert isinstance(spec, LogMelSpec)
    return spec


def _of_recording(
    recording: Path,
    stream: str | None,
    limits: "TimeRange | None",
    claim: Callable[[str], None],
) -> "tuple[Heard, str, str, list[str]]":
    """The sound, its stream, the recording's hash, and what was odd."""
    from sensebind.cli import output
    from sensebind.types import Modality
    from sensebind_calibration.hearing import hear_recording
    from sensebind_calibration.recording import open_sense, refusals_of

    with open_sense(recording, Modality.AUDIO, stream, limits) as found:
        claim(found.name)
        with (
            refusals_of(found.source.name, stream=found.name),
            output.progress(f"reading {found.source.name}") as advance,
        ):
            blocks = watched(found.source, advance)(found.blocks())
            heard = hear_recording(blocks, recording, found.name)
        return heard, found.name, found.source.sha256(), found.notes


def _of_device(device: str | None, seconds: float, rate_hz: float | None) -> "Heard":
    from sensebind.cli import output
    from sensebind_calibration.hearing import hear_live

    output.note(
        f"listening for {seconds:g} s: be silent for the first half, then make the sound that is "
        "to be heard, and jingle keys or clap"
    )
    with output.progress("listening") as advance:
        return hear_live(device, seconds, rate_hz, advance)
