# SPDX-License-Identifier: Apache-2.0
"""Latencies of the windows of each stream, stage by stage."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from sensebind.metrics.histogram import Histogram, Summary
from sensebind.metrics.times import STAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sensebind.metrics.times import WindowTimes
    from sensebind.types import Embedding

QUANTITIES = ("closing_delay", *STAGES, "service", "age")
"""What is measured of a window: how late it could be closed, each stage, the sum of the stages, and
the age of its newest sample when its vector was there. Recordings have neither delay nor age."""


class StreamLatency:
    """One histogram for each of QUANTITIES."""

    def __init__(self) -> None:
        self.histograms = {quantity: Histogram() for quantity in QUANTITIES}

    def record(self, times: WindowTimes) -> None:
        """Count one window."""
        histograms = self.histograms
        for stage, begin_ns, end_ns in times.spans():
            histograms[stage].record(end_ns - begin_ns)
        histograms["service"].record(times.service_ns)
        delay_ns, age_ns = times.closing_delay_ns, times.age_ns
        if delay_ns is not None and age_ns is not None:
            histograms["closing_delay"].record(delay_ns)
            histograms["age"].record(age_ns)

    def merge(self, other: StreamLatency) -> None:
        """Count everything that another counted."""
        for quantity, histogram in self.histograms.items():
            histogram.merge(other.histograms[quantity])

    def summaries(self) -> dict[str, Summary]:
        """By quantity; what was never measured is left out."""
        return {name: h.summary() for name, h in self.histograms.items() if h.count}


class LatencyStats:
    """Latencies per stream since the begin and since the last look; an observer of windows.

    Any thread may call any method.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._recent: dict[str, StreamLatency] = {}
        self._past: dict[str, StreamLatency] = {}

    def observe(self, embedding: Embedding, times: WindowTimes) -> None:
        """Count a window that was published."""
        del embedding
        with self._lock:
            latency = self._recent.get(times.stream)
            if latency is None:
                latency = self._recent[times.stream] = StreamLatency()
            latency.record(times)

    def streams(self) -> dict[str, StreamLatency]:
        """Latencies since the begin."""
        with self._lock:
            return merged([self._past, self._recent])

    def take_recent(self) -> dict[str, StreamLatency]:
        """Latencies since this was last called, or since the begin."""
        with self._lock:
            recent, self._recent = self._recent, {}
            self._past = merged([self._past, recent])
        return recent


def merged(parts: Iterable[Mapping[str, StreamLatency]]) -> dict[str, StreamLatency]:
    """Latencies of all parts together, by stream."""
    whole: dict[str, StreamLatency] = {}
    for part in parts:
        for stream, latency in part.items():
            whole.setdefault(stream, StreamLatency()).merge(latency)
    return whole
