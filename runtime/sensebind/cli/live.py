# SPDX-License-Identifier: Apache-2.0
"""`sensebind live`: devices of this machine in, embeddings and labels out."""

from pathlib import Path
from typing import Annotated

import typer

from sensebind.cli import output
from sensebind.cli.options import (
    BackendOrConfigOption,
    BundleOrConfigOption,
    CalibrationOption,
    ChangeOption,
    ChangesOption,
    ConfigOption,
    FusionOption,
    HopOption,
    JointOption,
    LabelsOption,
    OutOption,
    PromptsOption,
    RerunOption,
    StatsOption,
    StatsOutOption,
    ThreadsOption,
    TraceOption,
)


def live(
    mic: Annotated[
        str | None,
        typer.Option("--mic", metavar="NAME|NUMBER", help="Listen to this microphone; part of its "
                     "name, or 'default'."),
    ] = None,
    mic_rate: Annotated[
        float | None,
        typer.Option("--mic-rate", metavar="HZ", help="Its sample rate; its own by default."),
    ] = None,
    imu_serial: Annotated[
        str | None,
        typer.Option("--imu-serial", metavar="DEVICE[@BAUD]", help="Read an IMU's lines of text "
                     "from this serial port."),
    ] = None,
    imu_udp: Annotated[
        str | None,
        typer.Option("--imu-udp", metavar="HOST:PORT", help="Read an IMU's lines of text that are "
                     "sent to this address of this machine."),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option("--camera", metavar="N|DEVICE|FILE", help="Look through this camera: its "
                     "number, its path, or a film in its place."),
    ] = None,
    thermal: Annotated[
        str | None,
        typer.Option("--thermal", metavar="N|DEVICE|FILE", help="The same, of a thermal camera."),
    ] = None,
    realsense: Annotated[
        str | None,
        typer.Option("--realsense", metavar="SERIAL", help="Read depth, colour and motion of this "
                     "RealSense camera; 'default' for the first."),
    ] = None,
    list_devices: Annotated[
        bool, typer.Option("--list-devices", help="List the devices there are, and end.")
    ] = False,
    config: ConfigOption = None,
    bundle: BundleOrConfigOption = None,
    prompts: PromptsOption = None,
    labels: LabelsOption = None,
    joint: JointOption = False,
    fusion: FusionOption = None,
    changes: ChangesOption = None,
    change: ChangeOption = None,
    stream: Annotated[
        list[str] | None,
        typer.Option("--stream", metavar="NAME=MODALITY[,KEY=VALUE…]", help="How a stream is read; "
                     "may be repeated. Keys as for replay."),
    ] = None,
    calibration: CalibrationOption = None,
    hop: HopOption = None,
    out: OutOption = None,
    record: Annotated[
        Path | None,
        typer.Option("--record", metavar="FILE.mcap", help="Record the sensors, for replay."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", metavar="S", help="End after so long.", min=0.1)
    ] = None,
    backend: BackendOrConfigOption = None,
    threads: ThreadsOption = None,
    stats: StatsOption = False,
    stats_out: StatsOutOption = None,
    trace: TraceOption = None,
    rerun: RerunOption = None,
) -> None:  # fmt: skip
    """Encode what devices deliver, as it happens; Ctrl-C ends it and keeps what came before."""
    from sensebind.cli.describing import AskedDescription
    from sensebind.cli.live_devices import AskedDevices, device_lines, sources_asked_for
    from sensebind.cli.live_run import LiveWishes, run_live
    from sensebind.cli.settings import AskedRun
    from sensebind.cli.watching import Wishes

    if list_devices:
        for line in device_lines():
            typer.echo(line)
        return
    asked = AskedRun(config, bundle, stream, calibration, hop, backend, threads).robot_config()
    devices = AskedDevices(mic, mic_rate, imu_serial, imu_udp, camera, thermal, realsense).devices()
    sources = sources_asked_for(devices or asked.devices)
    description = AskedDescription(prompts, labels, joint, fusion, changes, change)
    wishes = LiveWishes(out, record, seconds, Wishes(stats, stats_out, trace, rerun))
    for line in run_live(sources, description.on(asked), wishes):
        output.say(line)
