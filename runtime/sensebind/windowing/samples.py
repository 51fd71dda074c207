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
from sensebind.grid import MAX_STAMP_NS, NS_PER_S, grid_offsets_ns
from sensebind.types import SampleBlock, Window
from sensebind.windowing.arrival import ArrivalOrder
from sensebind.windowing.segmented import SegmentedWindower, next_segment_number
from sensebind.windowing.tail import Tail

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

    def break_off(self) -> None:
        """Give up what is open; see `SegmentedWindower.break_off`."""
        self.counters.unused += len(self._order.settled(all_items=True)[0])
        self._order.restart()
        super().break_off()

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
        return self._rules.lateness_ns == 0 and in_order and bool((stamps[1:] > stamps[:-1]).all())

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
        if int(stamps[-1]) - int(stamps[0]) <= self._rules.gap_limit_ns:
            return self._extend_contiguous(stamps, values)
        cuts = np.flatnonzero(np.diff(stamps) > self._rules.gap_limit_ns) + 1
        parts = zip(np.split(stamps, cuts), np.split(values, cuts), strict=True)
        return [window for part in parts for window in self._extend_contiguous(*part)]

    def _extend_contiguous(self, stamps: Stamps, values: Values) -> list[Window]:
        windows: list[Window] = []
        first_ns, last = int(stamps[0]), self._segment
        channels = values.shape[1]
        if last is not None and first_ns - last.last_ns > self._rules.gap_limit_ns:
            windows += self._end_segment(next_start_ns=first_ns)
            self.counters.gaps += 1
            self._segment = _Segment(first_ns, channels, self._rules, after_gap=True)
        elif last is None:
            after_gap = self._follows_break()
            self._segment = _Segment(first_ns, channels, self._rules, after_gap=after_gap)
        assert self._segment is not None
        self.counters.sparse += self._segment.append(stamps, values)
        return windows + self._close_windows()

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
        first, stamps, values, newest_ns = segment.take(start_ns, end_ns)
        window = Window(
            stream=self._stream,
            grid_ns=end_ns,
            start_ns=start_ns,
            end_ns=end_ns,
            stamp_ns=newest_ns,
            coverage=coverage,
            stamps_ns=stamps,
            values=values,
            segment=segment.number,
            start_index=first,
        )
        return [window]


class _Segment:
    """The settled samples of one segment, oldest dropped when no window can need them."""

    def __init__(
        self, first_ns: int, channels: int, rules: SampleRules, *, after_gap: bool
    ) -> None:
        self.number = next_segment_number()
        self.first_ns = first_ns
        self.last_ns = first_ns
        self.after_gap = after_gap
        self.k = rules.first_index_after(first_ns)
        self.used = 0
        self._used_end = 0
        self._rules = rules
        self._period_ns = round(NS_PER_S / rules.rate_hz)
        # Points reach back before the span where the rate puts no whole number of them in it.
        first_point_ns = int(grid_offsets_ns(rules.length_ns, rules.rate_hz)[0])
        self._reach_ns = max(rules.length_ns, first_point_ns)
        self._trimmed_k = self.k
        self._stamps: Tail[np.int64] = Tail(1, np.int64)
        self._values: Tail[np.float64] = Tail(channels, np.float64)

    @property
    def accepted(self) -> int:
        return self._stamps.end

    @property
    def _end_ns(self) -> int:
        return self.k * self._rules.hop_ns

    def append(self, stamps: Stamps, values: Values) -> int:
        """Add samples; the number of spacings up to them that cover nothing is returned."""
        limit_ns, before_ns = self._rules.max_interval_ns, self.last_ns
        self._stamps.append(stamps[:, np.newaxis])
        self._values.append(values)
        self.last_ns = int(stamps[-1])
        if self.last_ns - before_ns <= limit_ns:
            return 0
        sparse = np.count_nonzero(np.diff(stamps) > limit_ns)
        return int(sparse) + (int(stamps[0]) - before_ns > limit_ns)

    def can_close(self) -> bool:
        """Whether the next window's span and the support beyond it are there."""
        needed = self._stamps.end - self._rules.support
        if needed < self._stamps.start:
            return False
        return int(self._stamps.view(needed, needed + 1)[0, 0]) >= self._end_ns

    def is_touched(self) -> bool:
        """Whether the next window's span begins before the last sample."""
        return self._end_ns - self._rules.length_ns <= self.last_ns

    def coverage(self, points_ns: Stamps) -> float:
        """Share of rising grid points that lie on a sample or between two close ones."""
        kept = self._kept_stamps()
        first = max(int(kept.searchsorted(points_ns[0], side="right")) - 1, 0)
        last = int(kept.searchsorted(points_ns[-1])) + 1
        stamps = kept[first:last]
        if not len(stamps):
            return 0.0
        covered = points_ns.searchsorted(stamps[-1], side="right")
        covered -= points_ns.searchsorted(stamps[0])
        far = np.flatnonzero(np.diff(stamps) > self._rules.max_interval_ns)
        if len(far):
            bare = points_ns.searchsorted(stamps[far + 1])
            bare -= points_ns.searchsorted(stamps[far], side="right")
            covered -= bare.sum()
        return int(covered) / len(points_ns)

    def take(self, start_ns: int, end_ns: int) -> tuple[int, Stamps, Values, int]:
        """Samples of a span with their support, read-only.

        Returns:
            index of the first, stamps, values and the newest stamp inside the span.
        """
        start, end = self._index_at(start_ns), self._index_at(end_ns)
        self.used += max(0, end - max(start, self._used_end))
        self._used_end = max(self._used_end, end)
        first = self._support_start(end_ns)
        last = min(end + self._rules.support, self._stamps.end)
        stamps = self._stamps.view(first, last)[:, 0]
        return first, stamps, self._values.view(first, last), int(stamps[end - 1 - first])

    def finish(self) -> None:
        """Nothing: every sample was settled when it came."""

    def trim(self) -> None:
        """Drop what lies before the support of the next window."""
        if self.k == self._trimmed_k:
            return
        self._trimmed_k = self.k
        first = self._support_start(self._end_ns)
        self._stamps.drop_before(first)
        self._values.drop_before(first)

    def _support_start(self, end_ns: int) -> int:
        """Index of the first sample that can influence the window that ends at `end_ns`.

        Interpolation reads `support` samples before its points, averaging those of one period
        before them and the one before those.
        """
        start_ns = end_ns - self._reach_ns
        start = self._index_at(start_ns) - self._rules.support
        return max(self._stamps.start, min(start, self._index_at(start_ns - self._period_ns) - 1))

    def _index_at(self, stamp_ns: int) -> int:
        """Index of the first kept sample at or after a stamp."""
        return self._stamps.start + int(self._kept_stamps().searchsorted(stamp_ns))

    def _kept_stamps(self) -> Stamps:
        return self._stamps.view(self._stamps.start, self._stamps.end)[:, 0]
