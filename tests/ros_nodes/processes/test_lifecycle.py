# SPDX-License-Identifier: Apache-2.0
"""The node's lifecycle through its services, in a process of its own."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from sensebind.config import StreamConfig
from sensebind.sources import open_source
from sensebind.types import Modality, SampleBlock
from tests.support import bags
from tests.support.ros import (
    ACTIVATE,
    CLEANUP,
    CONFIGURE,
    DEACTIVATE,
    SHUTDOWN,
    Examiner,
    NodeUnderTest,
    Sender,
)

pytestmark = pytest.mark.ros

CYCLES = 20


def started(
    examiner: Examiner,
    folder: Path,
    bundle: Path | str,
    module: str = "sensebind_ros.node",
    /,
    **values: object,
) -> NodeUnderTest:
    given = {
        "bundle": str(bundle), "streams": ["imu"], "imu.type": "sensor_msgs/msg/Imu",
        "imu.reliability": "reliable",
    }  # fmt: skip
    return NodeUnderTest(examiner, folder, {**given, **values}, module=module)


def test_twenty_times_around(examiner: Examiner, bundle_folder: Path, tmp_path: Path) -> None:
    with started(examiner, tmp_path, bundle_folder) as node:
        used = []
        for _ in range(CYCLES):
            for transition in (CONFIGURE, ACTIVATE, DEACTIVATE, ACTIVATE, DEACTIVATE, CLEANUP):
                assert node.change(transition), node.errors
            used.append(resources(node.popen.pid))
        first, last = used[4], used[-1]
        # A thread that was joined is gone from the system a little later.
        examiner.until(
            lambda: resources(node.popen.pid)["threads"] <= first["threads"], lambda: f"{used}"
        )
        assert last["files"] <= first["files"], used
        assert last["resident_kib"] - first["resident_kib"] < 4096, used
        assert node.change(SHUTDOWN["unconfigured"])
        assert node.state == "finalized"
        assert node.interrupt() == 0, node.errors


def resources(pid: int) -> dict[str, int]:
    """Threads, open files and resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    values = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return {
        "threads": int(values["Threads"]),
        "files": len(list(Path(f"/proc/{pid}/fd").iterdir())),
        "resident_kib": int(values["VmRSS"].split()[0]),
    }


@pytest.mark.parametrize(
    ("stage", "number"),
    [
        ("unconfigured", signal.SIGINT),
        ("inactive", signal.SIGINT),
        ("active", signal.SIGINT),
        ("active", signal.SIGTERM),
        ("cleaned up", signal.SIGINT),
    ],
)
def test_signals_end_it_at_every_stage(
    stage: str, number: int, examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    with started(examiner, tmp_path, bundle_folder) as node:
        path = {
            "unconfigured": [],
            "inactive": [CONFIGURE],
            "active": [CONFIGURE, ACTIVATE],
            "cleaned up": [CONFIGURE, ACTIVATE, DEACTIVATE, CLEANUP],
        }[stage]
        for transition in path:
            assert node.change(transition), node.errors
        node.until_status("node", bool)
        assert node.interrupt(number) == 0, node.errors
        assert "Traceback" not in node.errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_came_before_a_signal_is_published(
    number: int, examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    """Windows that still wait for late samples are encoded at the end."""
    waiting = {"imu.lateness_s": 30.0, "imu.policy": "block"}
    with started(examiner, tmp_path, bundle_folder, **waiting) as node:
        node.start()
        sender = Sender(examiner, "/imu", bags.IMU).matched()
        sender.send([bags.imu("/imu", k * 5_000_000, (0.1,) * 6) for k in range(400)])
        node.until_received("stream imu", 400)
        assert node.status("stream imu").get("embedded", "0") == "0"
        assert node.interrupt(number) == 0, node.errors
        assert "could not be published" not in node.errors
        assert "Traceback" not in node.errors


def test_a_signal_while_it_is_configured(
    examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    with started(examiner, tmp_path, bundle_folder) as node:
        node.until_status("node", bool)
        node.request_change(CONFIGURE)
        assert node.interrupt() == 0, node.errors
        assert "Traceback" not in node.errors


# A signal comes while the pipeline is being stopped.
STOPPING = """
import signal, sys
from sensebind_ros import node, running

stop = running.Running.stop

def interrupted(self):
    signal.raise_signal(signal.SIGTERM)
    return stop(self)

running.Running.stop = interrupted
sys.exit(node.main())
"""


@pytest.mark.parametrize("transition", [DEACTIVATE, SHUTDOWN["active"]])
def test_a_signal_while_it_stops_breaks_nothing_off(
    transition: int, examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    """What it records is whole."""
    (tmp_path / "stopping.py").write_text(STOPPING)
    sensors = tmp_path / "sensors"
    with started(examiner, tmp_path, bundle_folder, "stopping", record=str(sensors)) as node:
        node.start()
        sender = Sender(examiner, "/imu", bags.IMU).matched()
        sender.send([bags.imu("/imu", k * 5_000_000, (0.1,) * 6) for k in range(400)])
        node.until_received("stream imu", 400)
        node.request_change(transition)
        assert node.end() == 0, node.errors
        assert "Traceback" not in node.errors
    [recording] = sensors.iterdir()
    assert recording.read_bytes().endswith(b"\x89MCAP0\r\n")
    with open_source(recording) as source:
        [blocks] = [list(source.blocks({"imu": StreamConfig(modality=Modality.IMU)}, "log"))]
    assert sum(len(each.stamps_ns) for each in blocks if isinstance(each, SampleBlock)) == 400


def test_shut_down_while_active(examiner: Examiner, bundle_folder: Path, tmp_path: Path) -> None:
    with started(examiner, tmp_path, bundle_folder) as node:
        node.start()
        assert node.change(SHUTDOWN["active"])
        assert node.state == "finalized"
        assert resources(node.popen.pid)["threads"] > 0  # it stays until it is told to go
        assert node.interrupt() == 0, node.errors


def test_a_missing_bundle_can_be_given_later(
    examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    with started(examiner, tmp_path, tmp_path / "nowhere") as node:
        assert not node.change(CONFIGURE)
        assert node.state == "unconfigured"
        status = node.until_status("node", lambda s: "nowhere" in s["MESSAGE"])
        assert status["LEVEL"] == "2"
        assert status["MESSAGE"].startswith("not configured: ")
        assert node.set(bundle=str(bundle_folder)) == ""
        node.start()
        node.until_status("node", lambda s: s["MESSAGE"] == "active")
        assert node.interrupt() == 0, node.errors


def test_a_damaged_bundle_is_refused(
    examiner: Examiner, bundle_copy: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    engine = bundle_copy / "imu.onnx"
    engine.write_bytes(engine.read_bytes()[:-1] + b"?")
    with started(examiner, tmp_path, bundle_copy) as node:
        assert not node.change(CONFIGURE)
        assert "imu.onnx has sha256" in node.errors
        engine.write_bytes((bundle_folder / "imu.onnx").read_bytes())
        assert node.change(CONFIGURE), node.errors
        assert node.interrupt() == 0, node.errors


def test_what_cannot_be_used_is_named(
    examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    """One node is given one wrong value after the other; each is told, and it goes on."""
    wrong = {"streams": ["imu", "mic"], "mic.modality": "audio", "mic.hop_s": 0.123}
    with started(examiner, tmp_path, bundle_folder, **wrong) as node:
        assert "hop" in _failure(node)
        assert node.set(streams=["imu"], prompts="one") == ""
        assert "zero-shot compares classes, 1 were given (one)" in _failure(node)
        assert node.set(streams=["imu", "spare"], prompts="") == ""
        assert "spare.modality is not set; expected one of vision, audio" in _failure(node)
        assert node.set(spare__modality="depth", imu__type="sensor_msgs/msg/Image") == ""
        node.start()
        status = node.until_status("stream imu", lambda s: s["LEVEL"] == "2")
        assert "imu.type is 'sensor_msgs/msg/Image', which is not read as imu" in status["MESSAGE"]
        status = node.until_status("stream spare", lambda s: s["LEVEL"] == "2")
        assert status["MESSAGE"] == "nobody publishes 'spare'; the node waits for its type"
        assert node.interrupt() == 0, node.errors


def _failure(node: NodeUnderTest) -> str:
    """Why the node cannot be configured."""
    assert not node.change(CONFIGURE)
    return node.until_status("node", lambda s: s["LEVEL"] == "2")["MESSAGE"]


@pytest.mark.parametrize("option", ["topic", "info_topic"])
def test_a_topic_of_a_name_that_ros_does_not_allow(
    option: str, examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    """It is not activated, and nothing of it is left behind."""
    with started(examiner, tmp_path, bundle_folder, **{f"imu.{option}": "my imu"}) as node:
        assert node.change(CONFIGURE), node.errors
        before = resources(node.popen.pid)["threads"]
        assert not node.change(ACTIVATE)
        assert f"not activated: imu.{option} is 'my imu', which no topic is called" in node.errors
        assert node.state == "inactive"
        examiner.until(lambda: resources(node.popen.pid)["threads"] <= before)
        assert node.set(**{f"imu__{option}": ""}) == ""
        assert node.change(ACTIVATE), node.errors
        assert node.interrupt() == 0, node.errors


def test_a_value_out_of_range_at_the_start(
    examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    with started(examiner, tmp_path, bundle_folder, threads=0) as node:
        assert node.end() == 2
        assert "a parameter cannot be used" in node.errors
        assert "threads out of range" in node.errors


def test_a_misspelt_parameter(examiner: Examiner, bundle_folder: Path, tmp_path: Path) -> None:
    with started(examiner, tmp_path, bundle_folder, **{"imu.hopp_s": 0.5}) as node:
        assert "imu.hopp_s is given, but there is no such parameter" in _failure(node)
        assert "did you mean imu.hop_s?" in node.errors
        assert node.interrupt() == 0, node.errors
