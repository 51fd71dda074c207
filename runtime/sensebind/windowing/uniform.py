# SPDX-License-Identifier: Apache-2.0
"""Windows of uniform streams (audio).

Within a segment sample n has the stamp t0 + n/rate, with t0 and rate frozen when the segment
begins. Short holes are filled with zeros, long ones end the segment, and so do stamps that drift
away from the lattice. A window is the T samples that end at the last lattice index before kH,
moved back to a whole frame of the front end, so overlapping windows share their frames.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError
from sensebind.grid import NS_PER_S
from sensebind.types import UniformBlock, Window
from sensebind.windowing.rules import MAX_STAMP_NS
from sensebind.windowing.segmented import SegmentedWindower

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.windowing.rules import UniformRules

    Values = NDArray[np.float32]

_NO_STAMPS = np.empty(0, np.int64)


class UniformWindower(SegmentedWindower["_Segment"]):
    """Cuts one uniform stream into windows; blocks of any size give the same windows.

    Samples are taken in order of arrival: audio is not put into order by stamp, because stamps
    of neighbouring blocks may overlap by their jitter.
    """

    def __init__(self, stream: str, rules: UniformRules) -> None:
        """Start an empty stream."""
        super().__init__(stream, rules.hop_ns)
        self._rules = rules

    def push(self, block: UniformBlock) -> list[Window]:
        """Take contiguous samples and return the windows that closed.

        Raises:
            InputError: if the values have another dtype or shape than a UniformBlock's, or a rate
                without whole samples per frame shift.
        """
        stamp_ns, values = block.stamp_ns, block.values
        if values.dtype != np.float32 or values.ndim != 2:
            raise InputError(
                f"block of stream {self._stream!r} has values {values.dtype} {values.shape}, "
                "expected float32 (n, channels)"
            )
        self.counters.pushed += len(values)
        if not 0 <= stamp_ns < MAX_STAMP_NS:
            self.counters.invalid += len(values)
            return []
        if len(values) == 0:
            return []
        rate = Fraction(repr(block.rate_hz))
        windows: list[Window] = []
        if self._segment is not None and self._starts_anew(self._segment, block, rate):
            windows += self._end_segment(next_start_ns=None)
        if self._segment is None:
            channels = values.shape[1]
            self._segment = _Segment(stamp_ns, rate, channels, self._rules, after_gap=False)
        else:
            windows += self._join(self._segment, stamp_ns, values)
        self._append(stamp_ns, values)
        return windows + self._close_windows()

    def flush(self) -> list[Window]:
        """End the stream: close what can still be closed and settle every counter."""
        return self._end_segment(next_start_ns=None)

    def _starts_anew(self, segment: _Segment, block: UniformBlock, rate: Fraction) -> bool:
        """Count a clock reset or a new format, which begin a new epoch."""
        if block.stamp_ns < segment.expected_ns - self._rules.reset_ns:
            self.counters.resets += 1
        elif (rate, block.values.shape[1]) != (segment.rate, segment.channels):
            self.counters.rate_changes += 1
        else:
            return False
        return True

    def _join(self, segment: _Segment, stamp_ns: int, values: Values) -> list[Window]:
        """Fit a block behind the segment: note an overlap, fill a hole or begin a new segment."""
        rules = self._rules
        if abs(stamp_ns - segment.expected_ns) > rules.tolerance_ns:
            step_ns = stamp_ns - segment.timeline_end_ns
            segment.overlap = 0
            if step_ns < -rules.tolerance_ns:
                segment.overlap = round(-step_ns * segment.rate / NS_PER_S)
            if step_ns > rules.gap_limit_ns:
                self.counters.gaps += 1
                return self._begin_after_gap(segment, stamp_ns)
            if step_ns > rules.tolerance_ns:
                missing = round(step_ns * segment.rate / NS_PER_S)
                self.counters.filled += missing
                segment.fill(missing)
        if segment.overlap >= len(values):
            return []
        overlap = segment.overlap
        kept_ns = stamp_ns + overlap * NS_PER_S / segment.rate
        if abs(kept_ns - segment.stamp_of(segment.length)) <= rules.tolerance_ns:
            return []
        self.counters.relocks += 1
        windows = self._begin_after_gap(segment, round(kept_ns))
        assert self._segment is not None
        self._segment.overlap = overlap
        return windows

    def _append(self, stamp_ns: int, values: Values) -> None:
        """Add a block to the segment, less what overlaps it."""
        segment = self._segment
        assert segment is not None
        overlap = min(segment.overlap, len(values))
        segment.overlap -= overlap
        self.counters.duplicate += overlap
        self.counters.invalid += segment.append(values[overlap:])
        segment.expected_ns = stamp_ns + len(values) * NS_PER_S / segment.rate

    def _begin_after_gap(self, ended: _Segment, stamp_ns: int) -> list[Window]:
        """End a segment and begin the next; its windows follow those already closed."""
        windows = self._end_segment(next_start_ns=stamp_ns)
        self._segment = _Segment(stamp_ns, ended.rate, ended.channels, self._rules, after_gap=True)
        self._segment.k = max(self._segment.k, ended.k)
        return windows

    def _cut(self, segment: _Segment, *, before_gap: bool) -> list[Window]:
        """Cut the segment's next window and count what became of it."""
        grid_ns = segment.k * self._rules.hop_ns
        segment.k += 1
        start, end = segment.span(grid_ns)
        coverage = segment.measured_in(start, end) / (end - start)
        if coverage < self._rules.min_coverage:
            self.counters.count_incomplete(
                head_missing=start < 0,
                tail_missing=end > segment.length,
                after_gap=segment.after_gap,
                before_gap=before_gap,
            )
            return []
        self.counters.emitted += 1
        newest = min(end, segment.length) - 1
        window = Window(
            stream=self._stream,
            grid_ns=grid_ns,
            start_ns=segment.stamp_of(start),
            end_ns=segment.stamp_of(end),
            stamp_ns=segment.stamp_of(newest),
            coverage=coverage,
            stamps_ns=_NO_STAMPS,
            values=segment.take(start, end),
        )
        return [window]


class _Segment:
    """Samples on one frozen lattice, oldest dropped when no window can need them."""

    def __init__(
        self, start_ns: int, rate: Fraction, channels: int, rules: UniformRules, *, after_gap: bool
    ) -> None:
        shift = rules.frame_shift * rate
        span = Fraction(rules.length_ns, NS_PER_S) * rate
        if shift.denominator != 1 or span.denominator != 1:
            raise InputError(
                f"rate {float(rate):g} Hz does not give whole samples per frame shift "
                f"{float(rules.frame_shift):g} s; resample to the front end's rate first"
            )
        self.start_ns = start_ns
        self.rate = rate
        self.channels = channels
        self.after_gap = after_gap
        self.k = rules.first_index_after(start_ns)
        self.length = 0
        self.accepted = 0
        self.used = 0
        self.expected_ns = Fraction(start_ns)
        self.overlap = 0
        self._rules = rules
        self._shift, self._span = int(shift), int(span)
        self._used_end = 0
        self._holes: deque[tuple[int, int]] = deque()
        self._dropped = 0
        self._values: Values = np.empty((0, channels), np.float32)

    def stamp_of(self, index: int) -> int:
        """Stamp of a lattice index, rounded to ns."""
        return round(self.start_ns + index * NS_PER_S / self.rate)

    def index_at(self, stamp_ns: int) -> int:
        """Number of lattice indices before a stamp."""
        return -((self.start_ns - stamp_ns) * self.rate // NS_PER_S)

    def span(self, grid_ns: int) -> tuple[int, int]:
        """First and last (exclusive) index of the window of a grid instant."""
        start = (self.index_at(grid_ns) - self._span) // self._shift * self._shift
        return start, start + self._span

    @property
    def _grid_ns(self) -> int:
        return self.k * self._rules.hop_ns

    @property
    def timeline_end_ns(self) -> Fraction:
        """Where the next sample belongs, by the stamps of the latest block."""
        return self.expected_ns + self.overlap * NS_PER_S / self.rate

    def can_close(self) -> bool:
        """Whether every sample before the next window's instant is there."""
        return self.index_at(self._grid_ns) <= self.length

    def is_touched(self) -> bool:
        """Whether the next window's span begins inside the segment."""
        return self.span(self._grid_ns)[0] < self.length

    def append(self, values: Values) -> int:
        """Add samples; those that are not finite become holes, their number is returned."""
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            values = values.copy()
            values[bad] = 0
            self._holes.extend((self.length + int(i), self.length + int(i) + 1) for i in bad)
        self._extend(values)
        self.accepted += len(values) - len(bad)
        return len(bad)

    def fill(self, count: int) -> None:
        """Add zeros for missing samples."""
        self._holes.append((self.length, self.length + count))
        self._extend(np.zeros((count, self.channels), np.float32))

    def _extend(self, values: Values) -> None:
        self._values = np.concatenate([self._values, values])
        self.length += len(values)

    def measured_in(self, start: int, end: int) -> int:
        """Number of measured samples among lattice indices start..end-1."""
        start, end = max(start, 0), min(end, self.length)
        filled = sum(max(0, min(b, end) - max(a, start)) for a, b in self._holes)
        return max(0, end - start - filled)

    def take(self, start: int, end: int) -> Values:
        """Values of a span; what lies outside the segment is zero."""
        used_from = max(start, self._used_end)
        self.used += self.measured_in(used_from, end)
        self._used_end = max(self._used_end, end)
        out = np.zeros((end - start, self.channels), np.float32)
        first, last = max(start, 0), min(end, self.length)
        out[first - start : last - start] = self._values[
            first - self._dropped : last - self._dropped
        ]
        return out

    def trim(self) -> None:
        """Drop what lies before the next window."""
        start = max(self._dropped, min(self.span(self._grid_ns)[0], self.length))
        self._values = self._values[start - self._dropped :]
        self._dropped = start
        while self._holes and self._holes[0][1] <= start:
            self._holes.popleft()
