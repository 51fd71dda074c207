# SPDX-License-Identifier: Apache-2.0
"""`sensebind calibrate clock`: offset and drift between the clocks of two streams."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from sensebind_calibration.commands.destination import Destination
from sensebind_calibration.commands.devices import (
    CameraOption,
    ImuSerialOption,
    ImuUdpOption,
    MicOption,
    RealSenseOption,
    RecordingOrNot,
    SecondsOption,
    ThermalOption,
    recorded,
)
from sensebind_calibration.commands.options import (
    AsOption,
    ForceOption,
    FromOption,
    JsonOption,
    OutOption,
    SerialOption,
    ToOption,
    watched,
)


class By(str, Enum):
    """What is compared."""

    CONTENT = "content"
    STAMPS = "stamps"


def clock(
    stream: Annotated[
        str,
        typer.Option("--stream", metavar="TOPIC[=SENSE,…]", help="Whose clock is calibrated."),
    ],
    reference: Annotated[
        str,
        typer.Option("--reference", metavar="TOPIC[=SENSE,…]", help="Whose stamps are right."),
    ],
    recording: RecordingOrNot = None,
    out: OutOption = Path("calibration.toml"),
    by: Annotated[
        By,
        typer.Option("--by", help="Compare events that both see, or when messages arrived."),
    ] = By.CONTENT,
    within: Annotated[
        float,
        typer.Option("--within", metavar="S", min=0.1, max=600, help="Largest offset to look for."),
    ] = 5.0,
    drift: Annotated[
        bool, typer.Option("--drift/--no-drift", help="Whether the clocks may drift apart.")
    ] = True,
    imu_serial: ImuSerialOption = None,
    imu_udp: ImuUdpOption = None,
    mic: MicOption = None,
    camera: CameraOption = None,
    thermal: ThermalOption = None,
    realsense: RealSenseOption = None,
    seconds: SecondsOption = 60.0,
    begin: FromOption = None,
    end: ToOption = None,
    serial: SerialOption = "",
    named: AsOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """By how much a stream's stamps are off those of another one, and how that changes.

    Knock the robot, or clap beside it, where both sensors see or hear it: twenty times and more in
    a minute or two, with pauses of uneven length.
    """
    from sensebind.cli import output
    from sensebind.cli.live_devices import AskedDevices
    from sensebind.sources.time_range import time_range
    from sensebind_calibration.clock import calibrate_clock, doubts
    from sensebind_calibration.clock_streams import both_streams, open_two
    from sensebind_calibration.recording import refusals_of

    devices = AskedDevices(mic, None, imu_serial, imu_udp, camera, thermal, realsense)

    destination = Destination(out, "clock", named, force, json)

    read = recorded(
        recording,
        devices,
        lambda infos: both_streams(infos, stream, reference),
        destination.claim,
        seconds,
    )
    with open_two(read, stream, reference, time_range(begin, end)) as two:
        destination.claim(two.stream)
        with (
            refusals_of(two.source.name, two.reference, stream=two.stream),
            output.progress(f"reading {two.source.name}") as advance,
        ):
            section = calibrate_clock(
                two,
                by=by.value,
                within_s=within,
                drift=drift,
                serial=serial,
                watch=watched(two.source, advance),
            )
    told = [*two.notes, *doubts(section)]
    destination.write(two.stream, section, told)
