# SPDX-License-Identifier: Apache-2.0
"""`sensebind calibrate imu`: scale, misalignment and biases of an IMU."""

from pathlib import Path
from typing import Annotated

import typer

from sensebind.units import STANDARD_GRAVITY
from sensebind_calibration.commands.destination import Destination
from sensebind_calibration.commands.devices import (
    ImuSerialOption,
    ImuUdpOption,
    RealSenseOption,
    RecordingOrNot,
    SecondsOption,
    imu_read,
)
from sensebind_calibration.commands.options import (
    AsOption,
    ForceOption,
    FromOption,
    JsonOption,
    OutOption,
    SerialOption,
    StreamOption,
    TemperatureOption,
    ToOption,
)


def imu(
    recording: RecordingOrNot = None,
    out: OutOption = Path("calibration.toml"),
    stream: StreamOption = None,
    gravity: Annotated[
        float,
        typer.Option("--gravity", metavar="M_S2", min=9.7, max=9.9, help="|g| at this place."),
    ] = STANDARD_GRAVITY,
    imu_serial: ImuSerialOption = None,
    imu_udp: ImuUdpOption = None,
    realsense: RealSenseOption = None,
    seconds: SecondsOption = 120.0,
    begin: FromOption = None,
    end: ToOption = None,
    serial: SerialOption = "",
    temperature: TemperatureOption = None,
    named: AsOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Scale, misalignment and biases of an IMU that was put down in many orientations.

    Rest it for 3 s on each of its six faces, better also on edges and corners, and turn it by hand
    in between. The rests are found by themselves.
    """
    from sensebind.cli.live_devices import AskedDevices
    from sensebind.sources.time_range import time_range
    from sensebind_calibration.imu import calibrate_imu, doubts

    devices = AskedDevices(imu_serial=imu_serial, imu_udp=imu_udp, realsense=realsense)
    destination = Destination(out, "imu", named, force, json)
    limits = time_range(begin, end)
    with imu_read(recording, devices, stream, limits, seconds, destination) as (found, watch):
        section = calibrate_imu(
            found, gravity_m_s2=gravity, serial=serial, temperature_c=temperature, watch=watch
        )
    told = [*found.notes, *doubts(section)]
    destination.write(found.name, section, told)
