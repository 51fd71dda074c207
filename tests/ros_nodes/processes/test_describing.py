# SPDX-License-Identifier: Apache-2.0
"""Joint embeddings and changes, asked for by a robot.toml, through a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from tests.support import bags
from tests.support.ros import DEACTIVATE, Examiner, NodeUnderTest, Sender

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.ros

ROBOT = """
bundle = {bundle}
hop_s = 0.5
[prompts]
still = ["standing", "at rest"]
moving = ["going"]
[streams.left]
modality = "imu"
policy = "block"
[streams.right]
modality = "imu"
policy = "block"
[fusion]
wait_s = 60.0
[changes]
file = "changes.jsonl"
threshold = 0.01
refractory_s = 0.0
"""
STEP_NS = 5_000_000


def test_joint_embeddings_and_changes(
    examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    from sensebind_msgs.msg import Embedding, ZeroShot
    from std_msgs.msg import String

    robot = tmp_path / "robot.toml"
    bundle = msgspec.json.encode(str(bundle_folder)).decode()
    robot.write_text(ROBOT.format(bundle=bundle))
    given = {f"{name}.reliability": "reliable" for name in ("left", "right")}
    given |= {"config": str(robot)}
    with NodeUnderTest(examiner, tmp_path, {**given, "temperature": 0.5}) as node:
        of = {
            name: examiner.subscribe(Embedding, f"/sensebind/embedding/{name}")
            for name in ("left", "right", "joint")
        }
        scores = examiner.subscribe(ZeroShot, "/sensebind/zero_shot/joint")
        changes = examiner.subscribe(String, "/sensebind/changes")
        node.start()
        noise = np.random.default_rng(3)
        for name in ("left", "right"):
            strength = np.repeat([0.01, 3.0], 400)
            sender = Sender(examiner, f"/{name}", bags.IMU).matched()
            sender.send(
                [
                    bags.imu(f"/{name}", k * STEP_NS, list(strength[k] * noise.standard_normal(6)))
                    for k in range(800)
                ]
            )
            node.until_received(f"stream {name}", 800)
        node.until_status("node", lambda s: int(s.get("changes", 0)) > 0)
        assert node.set(fusion__streams=["left", "nobody"]).startswith("streams to join: left, no")
        assert node.set(fusion__streams=["left", "right"]) == ""
        node.until_status("node", lambda s: s.get("runs") == "2" and int(s["joint: fused"]) > 0)
        assert "config can be changed at the start of the node only" in node.set(config="")
        assert node.change(DEACTIVATE), node.errors
        examiner.until(lambda: len(of["joint"]) >= len(of["left"]) > 0)
        examiner.until(lambda: len(scores) == len(of["joint"]) and len(changes) > 0)
        assert node.interrupt() == 0, node.errors
    vectors = {
        (name, e.grid_ns): np.array(e.vector) for name in ("left", "right") for e in of[name]
    }
    for each in of["joint"]:
        assert (each.modality, list(each.members)) == ("joint", ["left", "right"])
        mean = np.mean([vectors[name, each.grid_ns] for name in each.members], axis=0)
        np.testing.assert_allclose(each.vector, mean / np.linalg.norm(mean), atol=1e-6)
    assert list(scores[0].labels) == ["still", "moving"]
    told = [msgspec.json.decode(each.data) for each in changes]
    assert {each["stream"] for each in told} <= {"left", "right", "joint"}
    assert all(each["distance"] >= 0.01 and each["grid_ns"] > 0 for each in told)


def test_a_robot_toml_that_cannot_be_used(examiner: Examiner, tmp_path: Path) -> None:
    robot = tmp_path / "robot.toml"
    robot.write_text("hop_ms = 3")
    with NodeUnderTest(examiner, tmp_path, {"config": str(robot)}) as node:
        assert node.end() == 2
        assert "hop_ms is not a key of this table; did you mean 'hop_s'?" in node.errors
