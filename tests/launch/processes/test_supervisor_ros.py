# SPDX-License-Identifier: Apache-2.0
"""The supervisor with the real node, player and recorder: what `make ros-demo` and robots do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind import Bundle, Pipeline
from sensebind.config import PipelineConfig, StreamConfig
from sensebind.sinks.reading import open_records
from sensebind.sources import open_source
from sensebind.types import Modality
from tests.support.ros import PATHS, ROOT, Examiner, Process

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.ros

SAMPLE = ROOT / "runtime/sensebind/_data/sample/sample.mcap"
STREAMS = {
    "imu": ("/imu/data", StreamConfig(modality=Modality.IMU)),
    "audio": ("/mic/audio", StreamConfig(modality=Modality.AUDIO)),
}
LABELS = ("the machine drives over gravel", "the machine is standing still")
PARAMETERS = """
/**:
  ros__parameters:
    streams: [imu, audio]
    imu: {topic: /imu/data}
    audio: {topic: /mic/audio}
"""


def supervisor(folder: Path, *words: str) -> Process:
    """The supervisor in a process, where it finds all packages."""
    paths = (*PATHS, "launch/sensebind_bringup")
    variables = {"PYTHONPATH": os.pathsep.join(str(ROOT / path) for path in paths)}
    log = folder / "supervisor.log"
    return Process("sensebind_bringup.supervisor", *words, log=log, **variables)


def parameter_file(folder: Path, text: str = PARAMETERS) -> str:
    path = folder / "mine.yaml"
    path.write_text(text)
    return f"params_file:={path}"


def offline() -> dict[tuple[str, int], bytes]:
    """Vectors of a replay without ROS, by stream and grid instant."""
    config = PipelineConfig(streams=dict(STREAMS.values()))
    names = {topic: name for name, (topic, _) in STREAMS.items()}
    with Bundle.load("demo") as bundle, Pipeline(bundle, config) as pipe:
        embeddings = list(pipe.run(open_source(SAMPLE)))
    return {
        (names[e.stream], e.grid_ns): e.vector.tobytes() for e in embeddings if e.stream in names
    }


def test_a_recording_is_played_labelled_and_kept(tmp_path: Path, examiner: Examiner) -> None:
    out = tmp_path / "embeddings.parquet"
    words = (
        f"bag:={SAMPLE}", f"out:={out}", parameter_file(tmp_path), "duration:=8",
        f"prompts:={','.join(LABELS)}",
    )  # fmt: skip
    with supervisor(tmp_path, "replay", *words) as run:
        code = run.popen.wait(120)
        assert code == 0, run.errors
        run.end()
    expected = offline()
    file = open_records(out)
    assert file.metadata.labels == (
        "the machine drives over gravel",
        "the machine is standing still",
    )
    assert file.metadata.bundle == "demo"
    found = {(r.embedding.stream, r.embedding.grid_ns): r for r in file.records()}
    for key, record in found.items():
        assert record.embedding.vector.tobytes() == expected[key], key
        assert record.scores is not None
        np.testing.assert_allclose(record.scores.sum(), 1, atol=1e-5)
    begin_ns = min(ns for _, ns in found)
    for stream in STREAMS:
        times_ns = sorted(ns for name, ns in found if name == stream)
        # 8 s, less 2 s until the first window is full and what was in flight at either end.
        assert len(times_ns) >= 9, run.errors
        assert set(np.diff(times_ns)) == {500_000_000}, "none in between is lost"
        assert times_ns[0] - begin_ns <= 1_000_000_000


def test_ctrl_c_ends_all(tmp_path: Path, examiner: Examiner) -> None:
    from sensebind_msgs.msg import BundleInfo

    from sensebind_ros.outputs import LATCHED

    told = examiner.subscribe(BundleInfo, "/robot/sensebind/bundle", LATCHED)
    words = ("namespace:=robot", parameter_file(tmp_path))
    with supervisor(tmp_path, "live", *words) as run:
        examiner.until(lambda: bool(told), lambda: run.errors)
        assert run.interrupt() == 0, run.errors
    assert told[0].name == "demo"
    examiner.until(lambda: "sensebind" not in examiner.node.get_node_names())


def test_a_node_that_cannot_be_configured_ends_the_run(tmp_path: Path, examiner: Examiner) -> None:
    del examiner
    with supervisor(tmp_path, "live", "bundle:=/no/such", parameter_file(tmp_path)) as run:
        code = run.popen.wait(120)
        run.end()
    assert code == 1
    assert "/sensebind could not be configured; its log above says why" in run.errors
    assert "/no/such" in run.errors
