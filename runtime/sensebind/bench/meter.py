# SPDX-License-Identifier: Apache-2.0
"""Latencies of a part of a run, and the timer they are held against."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sensebind.metrics.histogram import Histogram
from sensebind.metrics.latency import LatencyStats
from sensebind.metrics.timer import TimerLateness
from sensebind.metrics.times import STAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensebind.metrics.histogram import Summary
    from sensebind.metrics.times import WindowTimes
    from sensebind.pipeline import Pipeline
    from sensebind.types import Embedding

_QUANTITIES = (*STAGES, "service")


class Meter:
    """Latencies, and lateness of a bare timer, of a part of a run; an observer."""

    def __init__(self) -> None:
        self.timer = Histogram().summary()
        self._stats = LatencyStats()
        self._measuring = False

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Count what happens meanwhile."""
        with TimerLateness() as timer:
            self._measuring = True
            yield
            self._measuring = False
        self.timer = timer.lateness.summary()

    def observe(self, embedding: Embedding, times: WindowTimes) -> None:
        """Count a window, if it is time to."""
        if self._measuring:
            self.record(embedding, times)

    def record(self, embedding: Embedding, times: WindowTimes) -> None:
        """Count a window."""
        self._stats.observe(embedding, times)

    def latency(self) -> dict[str, dict[str, Summary]]:
        """By stream and quantity; what is told in stamps means nothing at another pace than 1."""
        return {
            name: {
                quantity: summary
                for quantity, summary in each.summaries().items()
                if quantity in _QUANTITIES
            }
            for name, each in self._stats.streams().items()
        }

    def service(self) -> Summary:
        """The service time over all streams."""
        whole = Histogram()
        for latency in self._stats.streams().values():
            whole.merge(latency.histograms["service"])
        return whole.summary()


def lost(pipeline: Pipeline) -> int:
    """Windows and samples of a pipeline's streams that were dropped so far."""
    streams = pipeline.report.streams.values()
    return sum(sum(stream.dropped.values()) + stream.overrun for stream in streams)
