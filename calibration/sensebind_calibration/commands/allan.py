# SPDX-License-Identifier: Apache-2.0
"""`sensebind calibrate allan`: noise of an IMU from a recording at rest."""

from pathlib import Path
from typing import Annotated

import typer

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


def allan(
    recording: RecordingOrNot = None,
    out: OutOption = Path("calibration.toml"),
    stream: StreamOption = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.png", help="Draw the deviation.")
    ] = None,
    imu_serial: ImuSerialOption = None,
    imu_udp: ImuUdpOption = None,
    realsense: RealSenseOption = None,
    seconds: SecondsOption = 600.0,
    begin: FromOption = None,
    end: ToOption = None,
    serial: SerialOption = "",
    temperature: TemperatureOption = None,
    named: AsOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Noise density, bias instability and random walk of an IMU that lay still, by Allan deviation.

    Numbers are those Kalibr and the ROS tools take. Ten minutes tell the noise density, hours the
    rest.
    """
    from sensebind.cli.live_devices import AskedDevices
    from sensebind.sinks import check_place
    from sensebind.sources.time_range import time_range
    from sensebind_calibration.imu_noise import doubts, measure_noise

    if plot is not None:
        check_place(plot)
    devices = AskedDevices(imu_serial=imu_serial, imu_udp=imu_udp, realsense=realsense)
    destination = Destination(out, "allan", named, force, json)
    limits = time_range(begin, end)
    with imu_read(recording, devices, stream, limits, seconds, destination) as (imu, watch):
        section, curve = measure_noise(imu, serial=serial, temperature_c=temperature, watch=watch)
    told = [*imu.notes, *doubts(section)]
    destination.write(imu.name, section, told)
    if plot is not None:
        from sensebind_calibration.plot import draw_allan

        draw_allan(plot, curve, section, f"{imu.source.name}, {imu.name}")
