# SPDX-License-Identifier: Apache-2.0
"""Windows of irregularly stamped samples (IMU).

Accepted samples in stamp order are cut into segments at spacings over the gap limit. Window k
belongs to the last segment that begins before kH; it holds that segment's samples in
[kH - L, kH) and, for interpolation, a few on either side. It is closed once those on the right
are settled, or the segment has ended and can't give more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError
from sensebind.grid import NS_PER_S, grid_offsets_ns
from sensebind.types import SampleBlock, Window
from sensebind.windowing.arrival import ArrivalOrder
from sensebind.windowing.rules import MAX_STAMP_NS
from sensebind.windowing.segmented import SegmentedWindower

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.windowing.rules import SampleRules

    Stamps = NDArray[np.int64]
    Values = NDArray[np.float64]


class SampleWindower(SegmentedWindower["_Segment"]):
    """Cuts one irregular stream into windows; blocks of any size give the same windows."""

    def __init__(self, stream: str, rules: SampleRules) -> None:
        """Start an empty stream."""
        super().__init__(stream, rules.hop_ns)
        self._rules = rules
        self._order: ArrivalOrder[NDArray[np.float64]] = ArrivalOrder(rules, self.counters)
        self._grid = grid_offsets_ns(rules.length_ns, rules.rate_hz)
        self._channels: int | None = None

    def push(self, block: SampleBlock) -> list[Window]:
        """Take samples in order of arrival and return the windows that closed.

        Raises:
            InputError: if the arrays have another dtype or shape than a SampleBlock's.
        """
        stamps, values = block.stamps_ns, block.values
        self._check(stamps, values)
        self.counters.pushed += len(stamps)
        valid = (stamps >= 0) & (stamps < MAX_STAMP_NS) & np.isfinite(values).all(axis=1)
        if not valid.all():
            self.counters.invalid += int(np.count_nonzero(~valid))
            stamps, values = stamps[valid], values[valid]
        if len(stamps) == 0:
            return []
        if self._arrives_in_order(stamps):
            self._order.newest_ns = int(stamps[-1])
            return self._extend(stamps, values)
        return self._push_one_by_one(stamps, values)

    def flush(self) -> list[Window]:
        """End the stream: close what can still be closed and settle every counter."""
        windows = self._settle(all_items=True)
        windows += self._end_segment(next_start_ns=None)
        self._order.restart()
        return windows

    def _check(self, stamps: Stamps, values: Values) -> None:
        fits = stamps.dtype == np.int64 and values.dtype == np.float64 and values.ndim == 2
        if not fits or stamps.shape != values.shape[:1]:
            raise InputError(
                f"block of stream {self._stream!r} has stamps {stamps.dtype} {stamps.shape} and "
                f"values {values.dtype} {values.shape}, expected int64 (n,) and float64 "
                "(n, channels)"
            )
        self._channels = self._channels or values.shape[1]
        if values.shape[1] != self._channels:
            raise InputError(
                f"block of stream {self._stream!r} has {values.shape[1]} channels, earlier ones "
                f"had {self._channels}; use one stream per sensor"
            )

    def _arrives_in_order(self, stamps: Stamps) -> bool:
        newest = self._order.newest_ns
        in_order = newest is None or int(stamps[0]) > newest
        return self._rules.lateness_ns == 0 and in_order and bool((np.diff(stamps) > 0).all())

    def _push_one_by_one(self, stamps: Stamps, values: Values) -> list[Window]:
        windows = []
        for stamp_ns, row in zip(stamps.tolist(), values, strict=True):
            if self._order.is_reset(stamp_ns):
                windows += self.flush()
                self.counters.resets += 1
            self._order.add(stamp_ns, row)
        return windows + self._settle()

    def _settle(self, *, all_items: bool = False) -> list[Window]:
        stamps, rows = self._order.settled(all_items=all_items)
        return self._extend(np.array(stamps, np.int64), np.array(rows)) if stamps else []

    def _extend(self, stamps: Stamps, values: Values) -> list[Window]:
        """Add settled samples in stamp order, cutting segments at long gaps."""
        windows: list[Window] = []
        cuts = np.flatnonzero(np.diff(stamps) > self._rules.gap_limit_ns) + 1
        for part, rows in zip(np.split(stamps, cuts), np.split(values, cuts), strict=True):
            first_ns = int(part[0])
            last = self._segment
            if last is not None and first_ns - last.last_ns > self._rules.gap_limit_ns:
                windows += self._end_segment(next_start_ns=first_ns)
                self.counters.gaps += 1
                self._segment = _Segment(first_ns, self._rules, after_gap=True)
            elif last is None:
                self._segment = _Segment(first_ns, self._rules, after_gap=False)
            assert self._segment is not None
            self._segment.append(part, rows)
            windows += self._close_windows()
        return windows

    def _cut(self, segment: _Segment, *, before_gap: bool) -> list[Window]:
        """Cut the segment's next window and count what became of it."""
        rules = self._rules
        end_ns = segment.k * rules.hop_ns
        start_ns = end_ns - rules.length_ns
        segment.k += 1
        coverage = segment.coverage(end_ns - self._grid)
        if coverage < rules.min_coverage:
            self.counters.count_incomplete(
                head_missing=start_ns < segment.first_ns,
                tail_missing=end_ns > segment.last_ns,
                after_gap=segment.after_gap,
                before_gap=before_gap,
            )
            return []
        self.counters.emitted += 1
        stamps, values, newest_ns = segment.take(start_ns, end_ns)
        window = Window(
            stream=self._stream,
            grid_ns=end_ns,
            start_ns=start_ns,
            end_ns=end_ns,
            stamp_ns=newest_ns,
            coverage=coverage,
            stamps_ns=stamps,
            values=values,
        )
        return [window]


class _Segment:
    """The settled samples of one segment, oldest dropped when no window can need them."""

    def __init__(self, first_ns: int, rules: SampleRules, *, after_gap: bool) -> None:
        self.first_ns = first_ns
        self.after_gap = after_gap
        self.k = rules.first_index_after(first_ns)
        self.accepted = 0
        self.used = 0
        self._used_end = 0
        self._dropped = 0
        self._rules = rules
        self._period_ns = round(NS_PER_S / rules.rate_hz)
        self._stamps = np.empty(0, np.int64)
        self._values = np.empty((0, 0))

    @property
    def _end_ns(self) -> int:
        return self.k * self._rules.hop_ns

    @property
    def last_ns(self) -> int:
        return int(self._stamps[-1])

    def append(self, stamps: Stamps, values: Values) -> None:
        first = self.accepted == 0
        self._stamps = stamps if first else np.concatenate([self._stamps, stamps])
        self._values = values if first else np.concatenate([self._values, values])
        self.accepted += len(stamps)

    def can_close(self) -> bool:
        """Whether the next window's span and the support beyond it are there."""
        beyond = len(self._stamps) - int(np.searchsorted(self._stamps, self._end_ns))
        return beyond >= self._rules.support

    def is_touched(self) -> bool:
        """Whether the next window's span begins before the last sample."""
        return self._end_ns - self._rules.length_ns <= self.last_ns

    def coverage(self, points_ns: Stamps) -> float:
        """Share of grid points that lie on a sample or between two close ones."""
        right = np.searchsorted(self._stamps, points_ns, side="right")
        left_ns = self._stamps[np.maximum(right - 1, 0)]
        right_ns = self._stamps[np.minimum(right, len(self._stamps) - 1)]
        between = (right > 0) & (right < len(self._stamps))
        covered = between & (right_ns - left_ns <= self._rules.max_interval_ns)
        covered |= left_ns == points_ns
        return int(np.count_nonzero(covered)) / len(points_ns)

    def take(self, start_ns: int, end_ns: int) -> tuple[Stamps, Values, int]:
        """Samples of a span with their support, and the newest stamp inside the span."""
        start, end = (int(i) for i in np.searchsorted(self._stamps, [start_ns, end_ns]))
        used_from = max(start + self._dropped, self._used_end)
        self.used += max(0, end + self._dropped - used_from)
        self._used_end = max(self._used_end, end + self._dropped)
        first, last = self._support_start(start_ns), end + self._rules.support
        newest_ns = int(self._stamps[end - 1])
        return self._stamps[first:last].copy(), self._values[first:last].copy(), newest_ns

    def finish(self) -> None:
        """Nothing: every sample was settled when it came."""

    def trim(self) -> None:
        """Drop what lies before the support of the next window."""
        first = self._support_start(self._end_ns - self._rules.length_ns)
        self._stamps, self._values = self._stamps[first:], self._values[first:]
        self._dropped += first

    def _support_start(self, start_ns: int) -> int:
        """Index of the first sample that can influence a span.

        Interpolation reads `support` samples before it, averaging those of one period before it
        and the one before them.
        """
        start = int(np.searchsorted(self._stamps, start_ns))
        period_start = int(np.searchsorted(self._stamps, start_ns - self._period_ns))
        return max(0, min(start - self._rules.support, period_start - 1))
