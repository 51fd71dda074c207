# SPDX-License-Identifier: Apache-2.0
"""What /diagnostics says, without ROS."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

from sensebind_ros.findings import Finding, Level, Looking, active_finding, node_finding
from sensebind_ros.settings import settings_from
from sensebind_ros.source import Topic


class StandIn:
    """As much of a running pipeline as is looked at."""

    def __init__(self) -> None:
        self.known: dict[str, Counter[str]] = {"imu": Counter()}
        self.why: dict[str, Counter[str]] = {}
        self.stamps: dict[str, Any] = {}
        self.watch = SimpleNamespace(streams=dict, recent=dict)
        self.failure = ""
        self.runs = 1
        self.takes_messages = True
        self.incidents: list[Any] = []
        self.described: Counter[str] = Counter()

    def counts(self) -> dict[str, Counter[str]]:
        return {name: Counter(counts) for name, counts in self.known.items()}

    def failures(self) -> dict[str, Counter[str]]:
        return self.why


def looking(topic: Topic, silence_s: float = 3600.0) -> tuple[Looking, StandIn]:
    settings = settings_from({"streams": ["imu"], "imu.silence_s": silence_s})
    running = StandIn()
    return Looking(settings, [topic], running), running  # type: ignore[arg-type]


def found(look: Looking) -> Finding:
    (finding,) = look.findings(look.states())
    return finding


def test_levels_go_from_what_is_worst() -> None:
    topic = Topic("imu", "imu", "sensor_msgs/msg/Imu", received=1)
    look, running = looking(topic)
    assert (found(look).level, found(look).message) == (Level.OK, "OK")
    running.known["imu"].update(embedded=4, warming=2, late=3)
    assert found(look).message == "since the last status: 3 late"
    assert found(look).level is Level.OK  # nothing new since
    running.known["imu"].update(failed=2)
    running.why["imu"] = Counter({"a frame of 0 pixels": 1, "no focal length": 2})
    assert found(look).message == "since the last status: 2 failed (no focal length)"
    topic.missing = 2
    finding = found(look)
    assert (finding.level, finding.message) == (Level.WARN, "since the last status: 2 not received")
    topic.misdescribed = "audio_info: audio coded as 'mp3'"
    assert (found(look).level, found(look).message) == (Level.ERROR, topic.misdescribed)
    topic.problem = "nobody publishes 'imu'"
    assert found(look).message == topic.problem


def test_stamps_by_another_clock_are_told() -> None:
    topic = Topic("imu", "imu", "sensor_msgs/msg/Imu", received=1)
    look, running = looking(topic)
    topic.delay.record(90 * 10**9)
    topic.delay.record(4 * 10**9)  # a burst that waited, and one that did not
    assert found(look).level is Level.OK
    running.known["imu"].update(late=3)
    topic.delay.record(90 * 10**9)
    finding = found(look)
    assert finding.level is Level.WARN
    assert finding.message.startswith("the stamps of 'imu' are at least 90 s behind ROS time; set")
    assert finding.values["delay of imu p50 (ms)"] == "90000.000"
    topic.delay.record(-2 * 10**9)
    assert "'imu' are at least 2.0 s ahead of ROS time" in found(look).message
    assert found(look).level is Level.OK  # nothing came since


def test_silence_is_stale() -> None:
    look, _ = looking(Topic("imu", "imu"), silence_s=1e-9)
    assert found(look).level is Level.STALE


def test_an_unfit_publisher_is_an_error_until_another_is_heard() -> None:
    topic = Topic("imu", "imu", incompatible=1)
    look, _ = looking(topic)
    assert "set imu.reliability to best_effort" in found(look).message
    topic.received = 1
    assert found(look).level is Level.OK


def test_the_node_tells_why_it_failed() -> None:
    assert node_finding("inactive", "").message == "inactive"
    finding = node_finding("unconfigured", "not configured: no bundle")
    assert (finding.level, finding.message) == (Level.ERROR, "not configured: no bundle")
    running = StandIn()
    running.failure = "no engine"
    finding = active_finding("active", running, 2, 0)  # type: ignore[arg-type]
    assert (finding.level, finding.message) == (Level.ERROR, "the pipeline failed: no engine")
    assert (finding.values["clock jumps"], finding.values["takes messages"]) == ("2", "yes")
    running.failure, running.takes_messages = "", False
    running.described["joint: alone"] = 4
    running.incidents = [SimpleNamespace(where="engine imu", what="hung", count=3)]
    finding = active_finding("active", running, 0, 1)  # type: ignore[arg-type]
    assert finding.values["takes messages"] == "no"
    assert finding.level is Level.WARN
    assert finding.values["engine imu: hung"] == "3"
    assert finding.values["joint: alone"] == "4"
