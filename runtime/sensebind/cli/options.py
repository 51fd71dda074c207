# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

BundleOption = Annotated[
    str, typer.Option("--bundle", metavar="NAME|FOLDER", help="Bundle that holds the encoders.")
]
BundleOrConfigOption = Annotated[
    str | None,
    typer.Option(
        "--bundle",
        metavar="NAME|FOLDER",
        help="Bundle that holds the encoders.",
        show_default="demo",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="ROBOT.toml",
        help="Do as this robot is configured to; other options go before it. See docs/robot.md.",
    ),
]
PromptsOption = Annotated[
    str | None,
    typer.Option(
        "--prompts",
        metavar="FILE|TEXTS",
        help="Classes to score: 'a cat,a dog', or a .json, .toml or .txt file of prompts.",
    ),
]
LabelsOption = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="KEY=VALUE,…",
        help="When labels are given: temperature; min_score, min_cosine (else unknown); smoothing "
        "(exponential or majority), smoothing_s; margin that another label needs.",
    ),
]
JointOption = Annotated[
    bool, typer.Option("--joint", help="Also join the vectors of all streams at each instant.")
]
FusionOption = Annotated[
    str | None,
    typer.Option(
        "--fusion",
        metavar="KEY=VALUE,…",
        help="How they are joined, as with --joint: streams (/a;/b), confidence (audio:2;imu:0.5), "
        "hop, wait, min_streams.",
    ),
]
ChangesOption = Annotated[
    Path | None,
    typer.Option("--changes", metavar="FILE", help="Write a JSON line when a stream changes."),
]
ChangeOption = Annotated[
    str | None,
    typer.Option(
        "--change",
        metavar="KEY=VALUE,…",
        help="What a change is: threshold (cosine distance), release, memory, refractory.",
    ),
]
CalibrationOption = Annotated[
    Path | None,
    typer.Option(
        "--calibration",
        metavar="FILE.toml",
        help="Apply what `sensebind calibrate` found of these sensors.",
    ),
]
HopOption = Annotated[
    float | None, typer.Option("--hop", metavar="SECONDS", help="Time between windows.")
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write FILE.parquet, .jsonl or .mcap."),
]
BackendOption = Annotated[
    str, typer.Option("--backend", metavar="NAME", help="Engine backend; auto picks one.")
]
BackendOrConfigOption = Annotated[
    str | None,
    typer.Option(
        "--backend",
        metavar="NAME",
        help="Engine backend; auto picks one.",
        show_default="auto",
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", metavar="N", help="Threads of one engine run; the cores but one."),
]
StatsOption = Annotated[
    bool, typer.Option("--stats", help="Show latencies, drops and memory while it runs.")
]
StatsOutOption = Annotated[
    Path | None,
    typer.Option("--stats-out", metavar="FILE", help="Write them as a JSON line per second."),
]
TraceOption = Annotated[
    Path | None,
    typer.Option("--trace", metavar="FILE", help="Write the way of the last windows for Perfetto."),
]
RerunOption = Annotated[
    Path | None,
    typer.Option("--rerun", metavar="FILE", help="Write what was seen and said for Rerun."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")]
