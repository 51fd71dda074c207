# SPDX-License-Identifier: Apache-2.0
"""The recorder in a process: what it keeps when it is ended gently, and when it is not."""

from __future__ import annotations

import signal
from array import array
from typing import TYPE_CHECKING, Any

import pytest

from sensebind.sinks import recover
from sensebind.sinks.reading import open_records
from tests.support.ros import Process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.ros import Examiner

pytestmark = pytest.mark.ros

NODE = "/robot/sensebind"
ENCODER = "1" * 64
T0 = 1_700_000_000_000_000_000


class Pretender:
    """Publishes what a node of one stream publishes."""

    def __init__(self, examiner: Examiner, *labels: str) -> None:
        from sensebind_msgs import msg

        from sensebind_ros.outputs import LATCHED, RELIABLE

        self._msg = msg
        self._labels = list(labels)
        self._examiner = examiner
        node = examiner.node
        self.info = node.create_publisher(msg.BundleInfo, f"{NODE}/bundle", LATCHED)
        self.vectors = node.create_publisher(msg.Embedding, f"{NODE}/embedding/imu", RELIABLE)
        self.scores = node.create_publisher(msg.ZeroShot, f"{NODE}/zero_shot/imu", RELIABLE)
        self.info.publish(
            msg.BundleInfo(
                name="demo", bundle_id="b" * 64, space_id="5" * 64, dim=2, version="1",
                modalities=["imu"], encoder_ids=[ENCODER], backend="onnxruntime",
                precision="float32", labels=self._labels,
            )
        )  # fmt: skip

    def until_heard(self, process: Process) -> None:
        """Wait until a recorder has subscribed to everything."""
        publishers = (self.info, self.vectors, self.scores)
        self._examiner.until(
            lambda: all(each.get_subscription_count() for each in publishers),
            lambda: process.errors,
        )

    def publish(self, number: int, modality: str = "imu", dim: int = 2) -> None:
        named: dict[str, Any] = {
            "stream": "imu", "modality": modality, "encoder_id": ENCODER,
            "grid_ns": T0 + number * 500_000_000,
        }  # fmt: skip
        values = array("f", [1.0, *(0.0,) * (dim - 1)])
        vector = self._msg.Embedding(**named, vector=values, coverage=1.0)
        self.vectors.publish(vector)
        if self._labels:
            shares = array("f", [1 / len(self._labels)] * len(self._labels))
            scores = self._msg.ZeroShot(
                **named, label=self._labels[0], labels=self._labels, scores=shares
            )
            self.scores.publish(scores)


def recorder(folder: Path, out: Path) -> Process:
    words = ("--node", NODE, "--out", str(out))
    return Process("sensebind_ros.recorder", *words, log=folder / "recorder.log")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("labels", [(), ("bump", "still")])
def test_what_was_published_is_kept(
    tmp_path: Path, examiner: Examiner, number: int, labels: tuple[str, ...]
) -> None:
    from rclpy.duration import Duration

    out = tmp_path / "e.parquet"
    node = Pretender(examiner, *labels)
    with recorder(tmp_path, out) as process:
        node.until_heard(process)
        assert node.info.wait_for_all_acked(Duration(seconds=30))
        for k in range(50):
            node.publish(k)
        assert node.vectors.wait_for_all_acked(Duration(seconds=30))
        assert node.scores.wait_for_all_acked(Duration(seconds=30))
        assert process.interrupt(number) == 0, process.errors
        assert f"50 embeddings in {out}" in process.errors
        assert "Traceback" not in process.errors
    file = open_records(out)
    assert file.metadata.labels == labels
    assert file.metadata.source == f"ROS node {NODE}"
    records = list(file.records())
    assert [r.embedding.grid_ns for r in records] == [T0 + k * 500_000_000 for k in range(50)]
    assert {r.label for r in records} == {labels[0] if labels else None}


def test_a_message_that_cannot_be_kept_costs_itself_only(
    tmp_path: Path, examiner: Examiner
) -> None:
    from rclpy.duration import Duration

    out = tmp_path / "e.parquet"
    node = Pretender(examiner)
    with recorder(tmp_path, out) as process:
        node.until_heard(process)
        assert node.info.wait_for_all_acked(Duration(seconds=30))
        node.publish(0)
        node.publish(1, modality="smell")
        node.publish(2, dim=3)
        node.publish(3)
        assert node.vectors.wait_for_all_acked(Duration(seconds=30))
        assert process.interrupt() == 0, process.errors
        assert "a message is not kept: " in process.errors
        assert f"2 embeddings in {out}, 2 messages that could not be kept" in process.errors
    grids = [record.embedding.grid_ns for record in open_records(out).records()]
    assert grids == [T0, T0 + 3 * 500_000_000]


def test_after_a_crash_what_is_older_than_a_second_is_there(
    tmp_path: Path, examiner: Examiner
) -> None:
    out = tmp_path / "e.parquet"
    node = Pretender(examiner)
    with recorder(tmp_path, out) as process:
        node.until_heard(process)
        published = 0

        def part_is_there() -> bool:
            nonlocal published
            node.publish(published)
            published += 1
            return bool(list(tmp_path.glob("e.parquet.parts/*.parquet")))

        examiner.until(part_is_there, lambda: process.errors)
        process.popen.kill()
        process.end()
    assert not out.exists()
    assert 0 < recover(out) <= published
    assert len(list(open_records(out).records())) > 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--out", "e.npz"], 2, "its suffix '.npz' is not a format we write"),
        ([], 2, "the following arguments are required: --out"),
    ],
)
def test_wrong_words(
    tmp_path: Path, examiner: Examiner, words: list[str], code: int, message: str
) -> None:
    with Process("sensebind_ros.recorder", *words, log=tmp_path / "log") as process:
        examiner.until(lambda: process.popen.poll() is not None, lambda: process.errors)
        assert process.end() == code
        assert message in process.errors
