# SPDX-License-Identifier: Apache-2.0
"""The state of a run at one moment, as one value that tables, files and programs read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from sensebind.metrics.histogram import Summary  # noqa: TC001 - msgspec reads annotations
from sensebind.metrics.latency import LatencyStats
from sensebind.metrics.process import peak_resident_bytes, resident_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sensebind.metrics.latency import StreamLatency
    from sensebind.metrics.times import WindowTimes
    from sensebind.types import Embedding


class StreamCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Windows and samples of one stream since the begin.

    Attributes:
        modality: its sense.
        embedded: windows that became embeddings.
        dropped: windows that did not, by cause, and samples lost before they could be windowed.
    """

    modality: str
    embedded: int
    dropped: dict[str, int] = {}


class ClockState(msgspec.Struct, frozen=True, kw_only=True):
    """How well the clock of a device is known, by its messages since it was last set.

    Attributes:
        observations: messages it was learnt from.
        drift_ppm: by how much it runs fast.
        drift_uncertainty_ppm: standard error of it.
        spread_ms: how long messages typically wait beyond the least delay.
        jumps: how often it was set.
    """

    observations: int
    drift_ppm: float
    drift_uncertainty_ppm: float
    spread_ms: float
    jumps: int


class StreamSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One stream at one moment.

    Attributes:
        modality, embedded, dropped: see StreamCounts.
        windows_per_s: embeddings since the snapshot before this one, per second.
        latency: per quantity of `sensebind.metrics.latency.QUANTITIES`, since the begin.
        recent: the same since the snapshot before this one.
    """

    modality: str
    embedded: int
    dropped: dict[str, int]
    windows_per_s: float
    latency: dict[str, Summary]
    recent: dict[str, Summary]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A run at one moment.

    Attributes:
        seconds: since the begin of the run.
        cpu_share: processor time over wall time since the snapshot before; 1 is one busy core.
        resident_bytes: memory in RAM.
        peak_resident_bytes: the most there was.
        streams: by name.
        queues: samples, blocks and windows that wait, by place.
        clocks: of live sources, by name.
    """

    seconds: float
    cpu_share: float
    resident_bytes: int
    peak_resident_bytes: int
    streams: dict[str, StreamSnapshot]
    queues: dict[str, int]
    clocks: dict[str, ClockState] = {}


class RunStats:
    """Watches a run; an observer of its windows.

    One thread at a time takes snapshots; `observe` may be called by another.
    """

    def __init__(
        self,
        counts: Callable[[], Mapping[str, StreamCounts]],
        queues: Callable[[], Mapping[str, int]],
        clocks: Callable[[], Mapping[str, ClockState]] = dict,
    ) -> None:
        """Watch a run; the functions tell its counts so far, what waits and its clocks."""
        self.latency = LatencyStats()
        self._counts = counts
        self._queues = queues
        self._clocks = clocks
        self._begin_s = self._last_s = time.monotonic()
        self._last_cpu_s = time.process_time()
        self._last_embedded: dict[str, int] = {}

    def observe(self, embedding: Embedding, times: WindowTimes) -> None:
        """Count a window that was published."""
        self.latency.observe(embedding, times)

    def snapshot(self) -> Snapshot:
        """The run now; rates and recent latencies are those since the last call."""
        now_s, cpu_s = time.monotonic(), time.process_time()
        passed_s = max(now_s - self._last_s, 1e-9)
        recent, counts = self.latency.take_recent(), self._counts()
        whole = self.latency.streams()
        streams = {
            name: self._stream(name, count, passed_s, whole.get(name), recent.get(name))
            for name, count in counts.items()
        }
        share = (cpu_s - self._last_cpu_s) / passed_s
        resident = resident_bytes()
        self._last_s, self._last_cpu_s = now_s, cpu_s
        self._last_embedded = {name: count.embedded for name, count in counts.items()}
        return Snapshot(
            seconds=now_s - self._begin_s,
            cpu_share=share,
            resident_bytes=resident,
            peak_resident_bytes=max(resident, peak_resident_bytes()),
            streams=streams,
            queues=dict(self._queues()),
            clocks=dict(self._clocks()),
        )

    def _stream(
        self,
        name: str,
        counts: StreamCounts,
        passed_s: float,
        whole: StreamLatency | None,
        recent: StreamLatency | None,
    ) -> StreamSnapshot:
        return StreamSnapshot(
            modality=counts.modality,
            embedded=counts.embedded,
            dropped=counts.dropped,
            windows_per_s=(counts.embedded - self._last_embedded.get(name, 0)) / passed_s,
            latency=whole.summaries() if whole else {},
            recent=recent.summaries() if recent else {},
        )
