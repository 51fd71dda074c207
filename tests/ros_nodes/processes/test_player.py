# SPDX-License-Identifier: Apache-2.0
"""The player in a process: what subscribers get, /clock, pausing, and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind.sources.messages.cdr import read_imu
from tests.support import bags
from tests.support.ros import Process

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.bags import Message
    from tests.support.ros import Examiner

pytestmark = pytest.mark.ros

NS = 1_000_000_000
T0 = 1_700_000_000 * NS
STEP_NS = 10_000_000


def motion(seconds: float) -> list[Message]:
    count = round(seconds * NS / STEP_NS)
    return [
        bags.imu("/imu", T0 + k * STEP_NS, [k, 0, 9.81, 0, 0, 0], stamp_ns=T0 + k * STEP_NS - 3)
        for k in range(count)
    ]


def player(folder: Path, recorded: Sequence[Message], *options: str) -> Process:
    path = folder / "a.mcap"
    if not path.exists():
        bags.write_mcap(path, recorded)
    log = folder / "player.log"
    return Process("sensebind_ros.player", str(path), "--wait", "60", *options, log=log)


def raw(examiner: Examiner, kind: Any, topic: str, **qos: Any) -> list[bytes]:
    """A list that the bytes of messages are added to."""
    from rclpy.qos import QoSProfile

    got: list[bytes] = []
    examiner.node.create_subscription(kind, topic, got.append, QoSProfile(**qos), raw=True)
    return got


def reliable() -> dict[str, Any]:
    from rclpy.qos import ReliabilityPolicy

    return {"depth": 1000, "reliability": ReliabilityPolicy.RELIABLE}


def ended(examiner: Examiner, process: Process) -> int:
    """Its exit code, when it has ended by itself."""
    examiner.until(lambda: process.popen.poll() is not None, lambda: process.errors)
    return process.end()


def test_every_message_arrives_as_it_was_recorded(tmp_path: Path, examiner: Examiner) -> None:
    from sensor_msgs.msg import Image, Imu

    pixels = np.arange(480 * 640, dtype=np.uint16).reshape(480, 640)
    depth = [
        bags.image("/depth", T0 + k * 100 * STEP_NS // 3, pixels + k, "16UC1") for k in range(9)
    ]
    recorded = sorted([*motion(3), *depth], key=lambda message: message.log_ns)
    expected = {
        topic: [bags.serialize(m) for m in recorded if m.topic == topic]
        for topic in ("/imu", "/depth")
    }
    got = {
        "/imu": raw(examiner, Imu, "/imu", **reliable()),
        "/depth": raw(examiner, Image, "/depth", **reliable()),
    }
    with player(tmp_path, recorded, "--rate", "10") as process:
        total = len(recorded)
        examiner.until(lambda: sum(map(len, got.values())) >= total, lambda: process.errors)
        assert ended(examiner, process) == 0
        assert got == expected
        assert f"{len(recorded)} messages were played" in process.errors


def test_the_clock_goes_with_the_recording(tmp_path: Path, examiner: Examiner) -> None:
    from rosgraph_msgs.msg import Clock
    from sensor_msgs.msg import Imu

    ticks: list[int] = []
    order: list[tuple[str, int]] = []

    def tick(message: Any) -> None:
        ticks.append(message.clock.sec * NS + message.clock.nanosec)
        order.append(("tick", ticks[-1]))

    def reading(data: bytes) -> None:
        order.append(("imu", read_imu(data, "cdr")[0] + 3))

    examiner.node.create_subscription(Clock, "/clock", tick, 1000)
    examiner.node.create_subscription(Imu, "/imu", reading, 1000, raw=True)
    options = ("--start", "0.5", "--duration", "2", "--rate", "4", "--clock-hz", "50")
    with player(tmp_path, motion(4), *options) as process:
        assert ended(examiner, process) == 0
        examiner.until(lambda: len(ticks) >= 100, lambda: process.errors)
    assert ticks == [T0 + NS // 2 + k * NS // 50 for k in range(100)]
    readings = [ns for kind, ns in order if kind == "imu"]
    assert readings == [T0 + NS // 2 + k * STEP_NS for k in range(200)]


def test_a_paused_player_goes_on_when_asked_to(tmp_path: Path, examiner: Examiner) -> None:
    from sensor_msgs.msg import Imu
    from std_srvs.srv import SetBool

    got = raw(examiner, Imu, "/imu", **reliable())
    with player(tmp_path, motion(1), "--paused", "--rate", "0") as process:
        answer = examiner.call(SetBool, "/sensebind_player/pause", SetBool.Request(data=True))
        assert (answer.success, answer.message) == (True, "paused")
        publishers = examiner.node.count_publishers
        examiner.until(lambda: publishers("/imu") == 1, lambda: process.errors)
        assert got == []
        answer = examiner.call(SetBool, "/sensebind_player/pause", SetBool.Request(data=False))
        assert answer.message == "playing"
        assert ended(examiner, process) == 0
        examiner.until(lambda: len(got) == 100, lambda: process.errors)


def test_a_loop_goes_back_in_time_until_it_is_interrupted(
    tmp_path: Path, examiner: Examiner
) -> None:
    from rosgraph_msgs.msg import Clock
    from sensor_msgs.msg import Imu

    raw(examiner, Imu, "/imu", **reliable())
    ticks = raw(examiner, Clock, "/clock", **reliable())
    with player(tmp_path, motion(0.5), "--loop", "--rate", "5", "--clock-hz", "20") as process:
        examiner.until(lambda: len(ticks) >= 25, lambda: process.errors)
        assert process.interrupt() == 0, process.errors
        assert "begins anew; time goes back" in process.errors
        assert "Traceback" not in process.errors
    assert ticks[0] == ticks[10] == ticks[20]


def test_late_subscribers_get_what_describes_others(tmp_path: Path, examiner: Examiner) -> None:
    from rclpy.qos import DurabilityPolicy
    from sensor_msgs.msg import CameraInfo, Imu

    def build(store: Any, header: Any) -> object:
        types = store.types
        region = types["sensor_msgs/msg/RegionOfInterest"](
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        )
        return types["sensor_msgs/msg/CameraInfo"](
            header=header, height=4, width=6, distortion_model="", d=np.zeros(0), k=np.ones(9),
            r=np.zeros(9), p=np.zeros(12), binning_x=0, binning_y=0, roi=region,
        )  # fmt: skip

    info = bags.Message("/camera_info", "sensor_msgs/msg/CameraInfo", T0, T0, build)
    got = raw(examiner, Imu, "/imu", **reliable())
    with player(tmp_path, [info, *motion(60)]) as process:
        examiner.until(lambda: len(got) > 20, lambda: process.errors)
        durable = {"durability": DurabilityPolicy.TRANSIENT_LOCAL, **reliable()}
        late = raw(examiner, CameraInfo, "/camera_info", **durable)
        examiner.until(lambda: bool(late), lambda: process.errors)
        assert late[0].startswith(bags.serialize(info)), "DDS pads it to whole words"
        assert process.interrupt() == 0, process.errors


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["/no/such.mcap"], 2, "/no/such.mcap: no such file or folder"),
        (["--rate", "-1", "x"], 2, "argument --rate: it is '-1', expected a number from 0 on"),
        ([], 2, "the following arguments are required: recording"),
    ],
)
def test_wrong_words(
    tmp_path: Path, examiner: Examiner, words: list[str], code: int, message: str
) -> None:
    with Process("sensebind_ros.player", *words, log=tmp_path / "log") as process:
        assert ended(examiner, process) == code
        assert message in process.errors
