# SPDX-License-Identifier: Apache-2.0
"""What /diagnostics says of a node, as values; nothing here needs ROS."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from sensebind.grid import NS_PER_S
from sensebind_ros.counts import EMITTED, LOST, MISSING, PUSHED, topic_counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sensebind.bundle import Bundle
    from sensebind.clock.models import StampStatus
    from sensebind.metrics.histogram import Histogram, Summary
    from sensebind_ros.configs import TopicConfig
    from sensebind_ros.running import Running
    from sensebind_ros.settings import Settings
    from sensebind_ros.source import Topic
    from sensebind_ros.watch import Windows

_HARMLESS = {
    PUSHED, EMITTED, "used", "unused", "embedded", "warming", "ending", "pending",
}  # fmt: skip
"""Counts that are no trouble."""

_BEHIND_NS, _AHEAD_NS = 5 * NS_PER_S, NS_PER_S // 10
"""Beyond these, stamps are by another clock, if none of a period is nearer: messages may wait, and
the clocks of two computers differ a little."""


class Level(IntEnum):
    """How bad it is, as diagnostic_msgs/DiagnosticStatus has it."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(slots=True)
class Finding:
    """One status.

    Attributes:
        name: what it is about.
        level: how bad it is.
        message: in one sentence.
        values: what was measured and counted.
    """

    name: str
    level: Level = Level.OK
    message: str = "OK"
    values: dict[str, str] = field(default_factory=dict)

    def worsen(self, level: Level, message: str) -> None:
        """Tell of something, unless something worse is told already."""
        if level > self.level:
            self.level, self.message = level, message


@dataclass(slots=True)
class StreamState:
    """One stream of an active node since it was activated, at one moment.

    Attributes:
        name: of the stream.
        topics: its one or two topics.
        counts: of samples and windows, by cause.
        failures: why windows failed and blocks were refused, by message.
        windows: its newest window and sums; None before the first.
        latency: of the windows of the last period.
        stamps: how its stamps are mapped; None before the first.
    """

    name: str
    topics: list[Topic]
    counts: Counter[str]
    failures: Counter[str]
    windows: Windows | None
    latency: Mapping[str, Summary]
    stamps: StampStatus | None

    @property
    def received(self) -> int:
        """Messages that came."""
        return sum(topic.received for topic in self.topics)

    @property
    def why(self) -> str:
        """The most frequent of `failures`, in brackets; "" if there is none."""
        return "".join(f" ({message})" for message, _ in self.failures.most_common(1))


class Looking:
    """Looks at an active node now and then, and tells what happened in between."""

    def __init__(self, settings: Settings, topics: Sequence[Topic], running: Running) -> None:
        """Look at these."""
        self._settings = settings
        self._topics = topics
        self._running = running
        self._before: dict[str, tuple[int, Counter[str]]] = {}
        self._at_s = self._began_s = time.monotonic()

    def states(self) -> list[StreamState]:
        """The streams as they are now."""
        counts, failures = self._running.counts(), self._running.failures()
        windows = self._running.watch.streams()
        latency, stamps = self._running.watch.recent(), self._running.stamps
        states = []
        for name in self._settings.node.streams:
            own = [topic for topic in self._topics if topic.stream == name]
            total = counts.get(name, Counter()) + topic_counts(own)
            states.append(
                StreamState(
                    name,
                    own,
                    total,
                    failures.get(name, Counter()),
                    windows.get(name),
                    latency.get(name, {}),
                    stamps.get(name),
                )
            )
        return states

    def findings(self, states: Sequence[StreamState]) -> list[Finding]:
        """A status for each stream; rates are those since the last call."""
        now_s = time.monotonic()
        passed_s, self._at_s = max(now_s - self._at_s, 1e-6), now_s
        found = []
        for state in states:
            received, counts = self._before.get(state.name, (0, Counter()))
            new = state.counts - counts
            rates = (state.received - received) / passed_s, new["embedded"] / passed_s
            self._before[state.name] = state.received, Counter(state.counts)
            topic = self._settings.topics[state.name]
            found.append(self._stream(state, rates, new, topic))
        return found

    def _stream(
        self, state: StreamState, rates: tuple[float, float], new: Counter[str], topic: TopicConfig
    ) -> Finding:
        delays = {each.name: each.take_delay() for each in state.topics}
        finding = Finding(f"stream {state.name}", values=_stream_values(state, rates, delays))
        for each in state.topics:
            if each.problem or each.misdescribed:
                finding.worsen(Level.ERROR, each.problem or each.misdescribed)
            elif each.incompatible and not each.received:
                finding.worsen(Level.ERROR, _unfit(each))
        if self._is_silent(state, topic.silence_s):
            finding.worsen(Level.STALE, f"no messages for {topic.silence_s:g} s")
        for name, delay in delays.items():
            if astray := _astray(name, delay):
                finding.worsen(Level.WARN, astray)
        if lost := troubles(new):
            why = state.why if new["failed"] or new["refused"] else ""
            finding.worsen(Level.WARN, f"since the last status: {lost}{why}")
        if state.stamps is not None and state.stamps.note:
            finding.worsen(Level.WARN, state.stamps.note)
        return finding

    def _is_silent(self, state: StreamState, silence_s: float) -> bool:
        heard_s = max((each.heard_ns for each in state.topics), default=0) / 1e9
        return time.monotonic() - max(heard_s, self._began_s) > silence_s


def troubles(counts: Counter[str]) -> str:
    """What was lost, refused or dropped, by cause; "" if nothing was."""
    return ", ".join(f"{n} {cause}" for cause, n in counts.items() if n and cause not in _HARMLESS)


def encoder_findings(
    bundle: Bundle, settings: Settings, states: Sequence[StreamState]
) -> list[Finding]:
    """A status for each encoder that streams are read by."""
    found = []
    for modality in dict.fromkeys(each.modality for each in settings.pipeline.streams.values()):
        encoder = bundle.encoder(modality)
        streams = settings.pipeline.streams
        own = [state for state in states if streams[state.name].modality is modality]
        finding = Finding(f"encoder {modality}")
        finding.values = {
            "bundle": bundle.name,
            "encoder_id": encoder.encoder_id,
            "engine": bundle.manifest.encoders[modality].onnx,
            "backend": bundle.backend,
            "precision": encoder.precision,
            "embedded": f"{sum(state.counts['embedded'] for state in own)}",
            "failed": f"{sum(state.counts['failed'] for state in own)}",
        }
        for state in own:
            finding.values |= _percentiles(
                f"engine time of {state.name}", state.latency.get("infer")
            )
        found.append(finding)
    return found


def node_finding(state: str, problem: str) -> Finding:
    """The status of a node that is not active."""
    finding = Finding("node", message=state, values={"state": state})
    if problem:
        finding.worsen(Level.ERROR, problem)
    return finding


def active_finding(state: str, running: Running, clock_jumps: int, unpublished: int) -> Finding:
    """The status of an active node itself."""
    finding = node_finding(state, "")
    finding.values["clock jumps"] = f"{clock_jumps}"
    finding.values["not published"] = f"{unpublished}"
    finding.values |= {name: f"{count}" for name, count in running.described.items()}
    if unpublished:
        finding.worsen(Level.WARN, f"{unpublished} embeddings could not be published")
    if running.failure:
        finding.worsen(Level.ERROR, f"the pipeline failed: {running.failure}")
    finding.values["runs"] = f"{running.runs}"
    finding.values["takes messages"] = "yes" if running.takes_messages else "no"
    for incident in running.incidents:
        finding.values[f"{incident.where}: {incident.what}"] = f"{incident.count}"
        finding.worsen(Level.WARN, f"{incident.where}: {incident.what}")
    return finding


def _stream_values(
    state: StreamState, rates: tuple[float, float], delays: Mapping[str, Histogram]
) -> dict[str, str]:
    message_hz, window_hz = rates
    values = {}
    for topic in state.topics:
        values[f"topic {topic.name}"] = topic.message_type or "type not known yet"
        if topic.described_by:
            values[f"{topic.name} described by"] = topic.described_by
        values[f"publishers of {topic.name}"] = f"{topic.publishers}"
        values |= _percentiles(f"delay of {topic.name}", delays[topic.name].summary())
        values |= _percentiles(f"delay of {topic.name} ever", topic.past_delay.summary())
        values[f"publishers of {topic.name} came or went"] = f"{topic.changes}"
        values[f"liveliness changes of {topic.name}"] = f"{topic.liveliness}"
        values[f"incompatible publishers of {topic.name}"] = f"{topic.incompatible}"
    values |= {
        "messages": f"{state.received}",
        "message rate (Hz)": f"{message_hz:.2f}",
        "embedding rate (Hz)": f"{window_hz:.2f}",
        LOST: f"{state.counts[LOST]}",
        MISSING: f"{state.counts[MISSING]}",
    }
    if state.windows is not None:
        windows = state.windows
        values["coverage"] = f"{windows.coverage:.4f}"
        values["mean coverage"] = f"{windows.coverage_sum / windows.count:.4f}"
        values["valid fraction"] = f"{windows.valid_fraction:.4f}"
    values |= _percentiles("age", state.latency.get("age"))
    values |= _percentiles("service time", state.latency.get("service"))
    values["clock"] = _clock(state.stamps)
    values |= {cause: f"{count}" for cause, count in sorted(state.counts.items()) if count}
    return values


def _percentiles(what: str, summary: Summary | None) -> dict[str, str]:
    if summary is None or not summary.count:
        return {}
    return {
        f"{what} p50 (ms)": f"{summary.p50_ms:.3f}",
        f"{what} p99 (ms)": f"{summary.p99_ms:.3f}",
    }


def _clock(stamps: StampStatus | None) -> str:
    """How good the stream's stamps are."""
    if stamps is None:
        return "no messages yet"
    if stamps.note:
        return stamps.note
    by_arrival = (
        f", {stamps.by_arrival} messages placed by their arrival" if stamps.by_arrival else ""
    )
    return f"header stamps in ROS time{by_arrival}"


def _astray(topic: str, delay: Histogram) -> str:
    """That all stamps of a period are by another clock than ROS time; "" if they are not."""
    if delay.count and delay.min_ns > _BEHIND_NS:
        lies = f"at least {delay.min_ns / NS_PER_S:.0f} s behind"
    elif delay.count and delay.max_ns < -_AHEAD_NS:
        lies = f"at least {-delay.max_ns / NS_PER_S:.1f} s ahead of"
    else:
        return ""
    return (
        f"the stamps of {topic!r} are {lies} ROS time; set use_sim_time if a recording is played, "
        "or else the clock of what stamps them"
    )


def _unfit(topic: Topic) -> str:
    return (
        f"a publisher of {topic.name!r} does not offer the quality of service that is asked for; "
        f"set {topic.stream}.reliability to best_effort, or change the publisher's"
    )
