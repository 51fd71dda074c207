# SPDX-License-Identifier: Apache-2.0
"""`sensebind calibrate allan`: noise of an IMU from a recording at rest."""

from pathlib import Path
from typing import Annotated

import typer

from sensebind_calibration.commands.options import (
    AsOption,
    ForceOption,
    FromOption,
    JsonOption,
    OutOption,
    RecordingArgument,
    SerialOption,
    StreamOption,
    TemperatureOption,
    ToOption,
    conclude,
    watched,
)


def allan(
    recording: RecordingArgument,
    out: OutOption = Path("calibration.toml"),
    stream: StreamOption = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.png", help="Draw the deviation.")
    ] = None,
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
    from sensebind.cli import output
    from sensebind.sources.time_range import time_range
    from sensebind_calibration.file import check_free
    from sensebind_calibration.imu_noise import doubts, measure_noise
    from sensebind_calibration.recording import open_imu

    with open_imu(recording, stream, time_range(begin, end)) as imu:
        name = named or imu.name
        check_free(out, "allan", name, force=force)
        with output.progress(f"reading {imu.source.name}") as advance:
            section, curve = measure_noise(
                imu, serial=serial, temperature_c=temperature, watch=watched(imu.source, advance)
            )
    if plot is not None:
        from sensebind_calibration.plot import draw_allan

        draw_allan(plot, curve, section, f"{imu.source.name}, {imu.name}")
    told = [*imu.notes, *doubts(section)]
    conclude(out, "allan", name, section, told, force=force, json=json)
