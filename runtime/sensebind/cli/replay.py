# SPDX-License-Identifier: Apache-2.0
"""`sensebind replay`: a recording in, embeddings and labels out."""

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
    JsonOption,
    LabelsOption,
    OutOption,
    PromptsOption,
    RerunOption,
    StatsOption,
    StatsOutOption,
    ThreadsOption,
    TraceOption,
)
from sensebind.errors import InputError


def replay(
    bags: Annotated[
        list[Path],
        typer.Argument(metavar="BAG", help="rosbag2 .mcap, .db3 or folder, ROS 1 .bag, RealSense "
                       "recording, or a folder of pictures, sounds and IMU tables. Several are "
                       "read as one, in order of time."),
    ],
    out: OutOption = None,
    config: ConfigOption = None,
    bundle: BundleOrConfigOption = None,
    stream: Annotated[
        list[str] | None,
        typer.Option(
            "--stream",
            metavar="TOPIC=MODALITY[,KEY=VALUE…]",
            help="Read this topic, as this modality; may be repeated. Keys: hop, trigger, "
            "lateness, min_coverage, max_age, frame_pooling, jitter, rate, format, channels, "
            "scale, offset, unit, frame, focal; see docs/recordings.md.",
        ),
    ] = None,
    prompts: PromptsOption = None,
    labels: LabelsOption = None,
    joint: JointOption = False,
    fusion: FusionOption = None,
    changes: ChangesOption = None,
    change: ChangeOption = None,
    calibration: CalibrationOption = None,
    hop: HopOption = None,
    backend: BackendOrConfigOption = None,
    threads: ThreadsOption = None,
    order: Annotated[
        str | None,
        typer.Option("--order", metavar="stamp|log", help="Feed by stamp or by receive time; "
                     "recordings of live runs by the latter, all others by the former."),
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="Leave out what was received before: seconds "
                     "after the begin, seconds since 1970 or an ISO time (UTC)."),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="Leave out what was received from then on."),
    ] = None,
    stats: StatsOption = False,
    stats_out: StatsOutOption = None,
    trace: TraceOption = None,
    rerun: RerunOption = None,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Encode a recording: one vector per window of each camera, microphone and IMU."""
    from sensebind.cli.describing import AskedDescription
    from sensebind.cli.recording_run import write_recording
    from sensebind.cli.settings import AskedRun
    from sensebind.cli.watching import Wishes
    from sensebind.sinks import check_output
    from sensebind.sources.time_range import time_range

    if out is None:
        example = f"--out {bags[0].stem}.parquet"
        raise InputError(f"--out is missing: say where the embeddings go, for example {example}")
    check_output(out)
    asked = AskedRun(config, bundle, stream, calibration, hop, backend, threads, order)
    description = AskedDescription(prompts, labels, joint, fusion, changes, change)
    told = description.on(asked.robot_config())
    limits = time_range(begin, end)
    wishes = Wishes(stats, stats_out, trace, rerun)
    wishes.check()
    summary = write_recording(bags, limits, told, out, wishes, quiet=json)
    if json:
        output.show_json(summary)
