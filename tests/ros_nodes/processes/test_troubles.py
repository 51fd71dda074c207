# SPDX-License-Identifier: Apache-2.0
"""What goes wrong on a robot: each has its counter or message, and none ends the node."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.support import bags
from tests.support.ros import ACTIVATE, DEACTIVATE, Examiner, NodeUnderTest, Sender

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bags import Message

pytestmark = pytest.mark.ros

IMU = "sensor_msgs/msg/Imu"
IMAGE = "sensor_msgs/msg/Image"
MS = 1_000_000
S = 1000 * MS


def imu(stamp_ns: int, *values: float, **options: Any) -> Message:
    return bags.imu("/imu", stamp_ns, values or (0.0, 0.0, 9.8, 0.0, 0.0, 0.1), **options)


def second_of_imu(begin_ns: int) -> list[Message]:
    return [imu(begin_ns + k * 5 * MS) for k in range(200)]


def values(bundle: Path, *streams: str, **more: object) -> dict[str, object]:
    types = {"imu": IMU, "depth": IMAGE, "camera": IMAGE}
    found: dict[str, object] = {"bundle": str(bundle), "streams": list(streams)}
    for name in streams:
        found[f"{name}.modality"] = "vision" if name == "camera" else name
        found[f"{name}.type"] = types[name]
        found[f"{name}.policy"] = "block"
        # Best effort may lose the end of a burst on a busy machine, and nobody can tell.
        found[f"{name}.reliability"] = "reliable"
    return {**found, **more}


def counted(node: NodeUnderTest, stream: str, cause: str, count: int) -> dict[str, str]:
    return node.until_status(f"stream {stream}", lambda s: int(s.get(cause, "0")) == count)


def test_messages_that_cannot_be_used(
    examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    with NodeUnderTest(examiner, tmp_path, values(bundle_folder, "imu", "depth", "camera")) as node:
        node.start()
        motion = Sender(examiner, "/imu", IMU).matched()
        motion.send(second_of_imu(S))
        motion.send([imu(2 * S, np.nan, 0, 0, 0, 0, 0)])
        counted(node, "imu", "invalid", 1)
        motion.send([imu(2 * S + k, gyro_covariance=-1.0) for k in range(3)])
        counted(node, "imu", "no angular velocity", 3)
        motion.send([imu(2 * S + k, acceleration_covariance=-1.0) for k in range(2)])
        counted(node, "imu", "no acceleration", 2)
        motion.send([bags.serialize(imu(3 * S))[:100]])
        counted(node, "imu", "malformed message", 1)
        motion.send([imu(2 * S + MS), imu(2 * S + MS)])
        counted(node, "imu", "duplicate", 1)
        motion.send([imu(2 * S - 3 * MS)])
        counted(node, "imu", "late", 1)
        motion.send(second_of_imu(S // 2 - 10 * MS))  # more than a second back
        status = counted(node, "imu", "resets", 1)
        assert status["clock"] == "header stamps in ROS time"
        pictures = Sender(examiner, "/camera", IMAGE).matched()
        grey = np.zeros((48, 64), np.uint8)
        pictures.send([bags.image("/camera", S, grey, "8UC7")])
        counted(node, "camera", "failed", 1)
        short = bags.serialize(bags.image("/camera", 2 * S, grey, "mono8"))
        pictures.send([short.replace(np.uint32(64).tobytes() + b"\x00\x0c", b"\x80\0\0\0\0\x0c")])
        counted(node, "camera", "fewer pixels than step times height", 1)
        pictures.send([bags.image("/camera", 3 * S, grey, "mono8")])
        counted(node, "camera", "embedded", 1)
        depths = Sender(examiner, "/depth", IMAGE).matched()
        depths.send([bags.image("/depth", S, np.ones((48, 64, 3), np.uint8), "rgb8")])
        counted(node, "depth", "failed", 1)
        depths.send([bags.image("/depth", 2 * S, np.full((48, 64), 900, np.uint16), "16UC1")])
        counted(node, "depth", "embedded", 1)
        assert node.interrupt() == 0, node.errors
        assert "activated; 1 failed (image encoding 'rgb8' does not hold one value" in node.errors
        assert "Traceback" not in node.errors


def test_a_publisher_that_stops_and_comes_back(
    examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    given = values(bundle_folder, "imu", **{"imu.silence_s": 0.5})
    with NodeUnderTest(examiner, tmp_path, given) as node:
        node.start()
        node.until_status("stream imu", lambda s: s["LEVEL"] == "3")
        first = Sender(examiner, "/imu", IMU).matched()
        first.send(second_of_imu(S))
        node.until_received("stream imu", 200)
        first.close()
        status = node.until_status("stream imu", lambda s: s["LEVEL"] == "3")
        assert status["MESSAGE"] == "no messages for 0.5 s"
        node.until_status("stream imu", lambda s: s["publishers of imu"] == "0")
        again = Sender(examiner, "/imu", IMU).matched()
        again.send(second_of_imu(2 * S))
        status = node.until_received("stream imu", 400)
        counted(node, "imu", "pushed", 400)
        counted(node, "imu", "publishers of imu came or went", 3)
        node.until_status("stream imu", lambda s: int(s.get("embedded", 0)) >= 2)
        assert node.interrupt() == 0, node.errors


def test_a_publisher_that_offers_too_little(
    examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    given = values(bundle_folder, "imu")
    with NodeUnderTest(examiner, tmp_path, given) as node:
        node.start()
        sender = Sender(examiner, "/imu", IMU, reliable=False)
        status = node.until_status(
            "stream imu", lambda s: s["incompatible publishers of imu"] == "1"
        )
        assert status["LEVEL"] == "2"
        assert "does not offer the quality of service" in status["MESSAGE"]
        assert "set imu.reliability to best_effort" in status["MESSAGE"]
        told = node.set(imu__reliability="best_effort")
        assert (
            told
            == "imu.reliability can be changed while not active only; deactivate the node first"
        )
        assert node.change(DEACTIVATE)
        assert node.set(imu__reliability="best_effort") == ""
        assert node.change(ACTIVATE), node.errors
        sender.matched().send([imu(S)])
        node.until_received("stream imu", 1)
        assert node.interrupt() == 0, node.errors


def test_what_the_queue_has_no_room_for_is_counted(
    examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    """Published = received + not received, by the publisher's numbers."""
    small = {"imu.queue_s": 0.001, "imu.message_rate_hz": 1000.0}
    given = values(bundle_folder, "imu", **small, **{"imu.reliability": "best_effort"})
    with NodeUnderTest(examiner, tmp_path, given) as node:
        node.start()
        sender = Sender(examiner, "/imu", IMU, reliable=False).matched()
        sender.send([imu(S)])
        node.until_received("stream imu", 1)
        message = bags.serialize(imu(2 * S))
        sender.send([message] * 3000)  # into a queue of one
        node.until_status("stream imu", lambda s: s["message rate (Hz)"] == "0.00")
        sender.send([message])  # in quiet: it tells what was missing before it
        status = node.until_status(
            "stream imu", lambda s: int(s["messages"]) + int(s["not received"]) == 3002
        )
        assert int(status["not received"]) > 0
        assert status["LEVEL"] in "01"
        assert node.interrupt() == 0, node.errors
        assert re.search(
            rf"imu: \d+ embeddings, {status['messages']} messages since it was activated; "
            rf".*\b{status['not received']} not received",
            node.errors,
        )


def test_a_topic_of_another_type(examiner: Examiner, bundle_folder: Path, tmp_path: Path) -> None:
    given = values(bundle_folder, "camera", "imu", **{"imu.type": "", "camera.topic": "/odd"})
    with NodeUnderTest(examiner, tmp_path, given) as node:
        Sender(examiner, "/odd", "sensor_msgs/msg/CompressedImage")
        Sender(examiner, "/imu", "std_msgs/msg/String")
        node.start()
        status = node.until_status("stream camera", lambda s: "published as" in s["MESSAGE"])
        assert status["MESSAGE"].startswith(
            "'/odd' is published as sensor_msgs/msg/CompressedImage, not as sensor_msgs/msg/Image"
        )
        status = node.until_status("stream imu", lambda s: "std_msgs" in s["MESSAGE"])
        assert "imu.type is 'std_msgs/msg/String', which is not read as imu" in status["MESSAGE"]
        assert node.interrupt() == 0, node.errors


def test_simulated_time_that_jumps(examiner: Examiner, bundle_folder: Path, tmp_path: Path) -> None:
    from rosgraph_msgs.msg import Clock

    given = values(bundle_folder, "imu", use_sim_time=True)
    clock = examiner.node.create_publisher(Clock, "/clock", 10)

    def tell(seconds: int) -> None:
        message = Clock()
        message.clock.sec = seconds
        clock.publish(message)

    with NodeUnderTest(examiner, tmp_path, given) as node:
        node.start()
        examiner.until(lambda: clock.get_subscription_count() > 0)
        sender = Sender(examiner, "/imu", IMU).matched()
        tell(101)
        sender.send(second_of_imu(100 * S) + second_of_imu(101 * S))
        before = int(counted(node, "imu", "pushed", 400)["embedded"])
        tell(11)
        node.until_status("node", lambda s: s.get("clock jumps") == "1")
        assert "time jumped by -90.000 s" in node.errors
        sender.send(second_of_imu(10 * S) + second_of_imu(11 * S))
        counted(node, "imu", "resets", 1)
        node.until_status("stream imu", lambda s: int(s["embedded"]) >= before + 2)
        assert node.interrupt() == 0, node.errors
