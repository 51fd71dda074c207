# SPDX-License-Identifier: Apache-2.0
"""`sensebind calibrate allan`: noise of an IMU from a recording at rest."""

from pathlib import Path
from typing import Annotated

import typer

from sensebind_calibration.commands.options import (
    ForceOption,
    FromOption,
    JsonOption,
    OutOption,
    RecordingArgument,
    SerialOption,
    StreamOption,
    TemperatureOption,
    ToOption,
    tell_written,
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
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Noise density, bias instability and random walk of an IMU that lay still, by Allan deviation.

    Numbers are those Kalibr and the ROS tools take. Ten minutes tell the noise density, hours the
    rest.
    """
    from sensebind.cli import output
    from sensebind.sources.time_range import time_range
    from sensebind_calibration.cards import allan_card
    from sensebind_calibration.file import add_section, check_free
    from sensebind_calibration.imu_noise import doubts, measure_noise
    from sensebind_calibration.recording import open_imu

    with open_imu(recording, stream, time_range(begin, end)) as imu:
        check_free(out, "allan", imu.name, force=force)
        with output.progress(f"reading {imu.source.name}") as advance:
            section, curve = measure_noise(
                imu, serial=serial, temperature_c=temperature, watch=watched(imu.source, advance)
            )
    for sentence in [*imu.notes, *doubts(section)]:
        output.warning(sentence)
    if plot is not None:
        from sensebind_calibration.plot import draw_allan

        draw_allan(plot, curve, section, f"{imu.source.name}, {imu.name}")
    kept = add_section(out, "allan", imu.name, section, force=force)
    if json:
        output.show_json({"stream": imu.name, "out": str(out), "allan": section})
    else:
        output.say(allan_card(imu.name, section))
    tell_written(out, kept, quiet=json)
