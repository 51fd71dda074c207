# SPDX-License-Identifier: Apache-2.0
"""Devices in place of a recording, on the command line."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sensebind.cli import output
from sensebind.errors import InputError
from sensebind_calibration.commands.options import watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sensebind.cli.live_devices import AskedDevices
    from sensebind.config import StreamConfig
    from sensebind.sources.base import StreamInfo
    from sensebind.sources.held import HeldSource
    from sensebind.sources.time_range import TimeRange
    from sensebind.types import SampleBlock
    from sensebind_calibration.commands.destination import Destination
    from sensebind_calibration.known import Known
    from sensebind_calibration.live import Choose
    from sensebind_calibration.recording import ImuStream

    Watch = Callable[[Iterable[SampleBlock]], Iterator[SampleBlock]]
    """Passes blocks on and moves a bar."""

RecordingOrNot = Annotated[
    Path | None,
    typer.Argument(
        metavar="[RECORDING]", help="Anything `sensebind replay` reads; or name a device."
    ),
]
ImuSerialOption = Annotated[
    str | None,
    typer.Option("--imu-serial", metavar="DEVICE[@BAUD]", help="Read an IMU at a serial port."),
]
ImuUdpOption = Annotated[
    str | None, typer.Option("--imu-udp", metavar="HOST:PORT", help="Read an IMU's UDP packets.")
]
MicOption = Annotated[
    str | None, typer.Option("--mic", metavar="NAME|NUMBER", help="Listen to this microphone.")
]
CameraOption = Annotated[
    str | None, typer.Option("--camera", metavar="N|DEVICE", help="Look through this camera.")
]
ThermalOption = Annotated[
    str | None, typer.Option("--thermal", metavar="N|DEVICE", help="The same, a thermal one.")
]
RealSenseOption = Annotated[
    str | None,
    typer.Option("--realsense", metavar="SERIAL", help="Read this RealSense; 'default' for any."),
]
SecondsOption = Annotated[
    float,
    typer.Option("--seconds", metavar="S", min=1, max=3600, help="How long to read devices."),
]


def captured_one_by_one(
    devices: AskedDevices,
    choose: Choose,
    claim: Callable[[str], object],
    seconds: float,
    wishes: Sequence[tuple[str, float | None]],
) -> list[Known]:
    """What devices deliver after each wish was met, which the user tells by Enter.

    Args:
        devices: those that were named.
        choose: the stream to keep of them.
        claim: raises if its section cannot be written; before anything is asked.
        seconds: how long each time.
        wishes: what the user shall do first, at least one, and the value that is known then.

    Raises:
        SourceError: if a device cannot be read.
    """
    from sensebind_calibration.known import Known
    from sensebind_calibration.live import capture

    sources = devices.sources()
    claim(next(iter(choose([info for source in sources for info in source.streams()]))))
    found = []
    for wish, value in wishes:
        typer.prompt(f"{wish}, then press Enter", default="", show_default=False, err=True)
        with output.progress(f"reading for {seconds:g} s") as advance:
            found.append(Known(capture(sources, choose, seconds, advance), value, None))
    return found


@contextmanager
def imu_read(
    recording: Path | None,
    devices: AskedDevices,
    stream: str | None,
    limits: TimeRange | None,
    seconds: float,
    destination: Destination,
) -> Iterator[tuple[ImuStream, Watch]]:
    """The IMU of a recording, or of devices, ready to be read; refusals name it.

    Args:
        recording: None for devices.
        devices: those that were named.
        stream: as `recording.open_sense` takes it.
        limits: the part of the recording to read.
        seconds: how long devices are read.
        destination: of the section; refuses before anything is read.

    Raises:
        InputError: see `recorded`.
        SourceError: if it cannot be read.
    """
    from sensebind.types import Modality
    from sensebind_calibration.recording import one_stream, open_imu, refusals_of

    read = recorded(
        recording,
        devices,
        lambda infos: one_stream(infos, Modality.IMU, stream),
        destination.claim,
        seconds,
    )
    with open_imu(read, stream, limits) as imu:
        destination.claim(imu.name)
        with (
            refusals_of(imu.source.name, stream=imu.name),
            output.progress(f"reading {imu.source.name}") as advance,
        ):
            yield imu, watched(imu.source, advance)


def recorded(
    recording: Path | None,
    devices: AskedDevices,
    choose: Choose,
    claim: Callable[[str], object],
    seconds: float,
) -> Path | HeldSource:
    """The recording, or what the devices deliver in some seconds.

    Args:
        recording: None for devices.
        devices: those that were named.
        choose: the streams to keep of them, first the one to be calibrated.
        claim: raises if the section of that stream cannot be written; before the devices are read.
        seconds: how long.

    Raises:
        InputError: if both or neither were given.
        SourceError: if a device cannot be read.
    """
    from sensebind.cli.live_devices import AskedDevices
    from sensebind_calibration.live import capture

    named = devices != AskedDevices()
    if (recording is None) is not named:
        raise InputError(
            f"a RECORDING ({recording}) and devices were given; give one of them"
            if named
            else "nothing was given to read; give a RECORDING, or a device such as --imu-serial "
            "/dev/ttyUSB0 or --mic default"
        )
    if recording is not None:
        return recording

    def chosen(infos: Sequence[StreamInfo]) -> dict[str, StreamConfig]:
        configs = choose(infos)
        claim(next(iter(configs)))
        return configs

    sources = devices.sources()
    output.note(f"reading {' and '.join(each.name for each in sources)} for {seconds:g} s")
    with output.progress("reading devices") as advance:
        return capture(sources, chosen, seconds, advance)
