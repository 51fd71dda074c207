# SPDX-License-Identifier: Apache-2.0
"""A launch file by the real launch and launch_ros packages, where they are installed."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from sensebind.sinks.reading import open_records
from tests.support.ros import PATHS, ROOT, Examiner, Process

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.ros,
    pytest.mark.skipif(
        # A folder called launch is found in any case.
        find_spec("launch_ros") is None,
        reason="launch and launch_ros are not installed: they are no packages of PyPI",
    ),
]

SAMPLE = ROOT / "runtime/sensebind/_data/sample/sample.mcap"
RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

source = PythonLaunchDescriptionSource(sys.argv[1])
given = [tuple(word.split(":=", 1)) for word in sys.argv[2:]]
included = IncludeLaunchDescription(source, launch_arguments=given)
service = LaunchService()
service.include_launch_description(LaunchDescription([included]))
sys.exit(service.run())
"""


def test_a_recording_is_replayed(tmp_path: Path, examiner: Examiner) -> None:
    (tmp_path / "launches.py").write_text(RUN)
    out = tmp_path / "embeddings.parquet"
    paths = [str(tmp_path), *(str(ROOT / path) for path in PATHS), *filter(None, sys.path)]
    file = ROOT / "launch/sensebind_bringup/launch/replay_launch.py"
    words = [str(file), f"bag:={SAMPLE}", "duration:=5", f"out:={out}", "prompts:=still,moving"]
    log = tmp_path / "launch.log"
    variables = {"PYTHONPATH": os.pathsep.join(paths)}
    with Process("launches", *words, log=log, **variables) as run:
        examiner.until(lambda: run.popen.poll() is not None, lambda: run.errors)
        assert run.end() == 0, run.errors
    streams = {record.embedding.stream for record in open_records(out).records()}
    assert {"imu", "audio", "vision"} <= streams
