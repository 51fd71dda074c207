# SPDX-License-Identifier: Apache-2.0
"""What is known of the windows of a run: latencies, and of each stream the newest window."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from sensebind.metrics.latency import LatencyStats

if TYPE_CHECKING:
    from sensebind.metrics.histogram import Summary
    from sensebind.metrics.times import WindowTimes
    from sensebind.types import Embedding


@dataclass(slots=True)
class Windows:
    """The windows of one stream.

    Attributes:
        count: embeddings so far.
        coverage_sum: of them.
        coverage: of the newest.
        valid_fraction: of the newest.
        times: of the newest.
    """

    count: int
    coverage_sum: float
    coverage: float
    valid_fraction: float
    times: WindowTimes


class Watch:
    """Sees every window of a run; one thread observes, another looks."""

    def __init__(self) -> None:
        self._latency = LatencyStats()
        self._streams: dict[str, Windows] = {}
        self._lock = Lock()

    def observe(self, embedding: Embedding, times: WindowTimes) -> None:
        """Count a window that was published."""
        self._latency.observe(embedding, times)
        with self._lock:
            before = self._streams.get(embedding.stream)
            self._streams[embedding.stream] = Windows(
                count=1 + (before.count if before else 0),
                coverage_sum=embedding.coverage + (before.coverage_sum if before else 0.0),
                coverage=embedding.coverage,
                valid_fraction=embedding.valid_fraction,
                times=times,
            )

    def streams(self) -> dict[str, Windows]:
        """The windows of each stream that has any."""
        with self._lock:
            return dict(self._streams)

    def recent(self) -> dict[str, dict[str, Summary]]:
        """Latencies since this was last called, by stream and quantity."""
        return {name: each.summaries() for name, each in self._latency.take_recent().items()}
