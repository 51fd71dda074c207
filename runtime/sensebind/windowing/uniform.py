# SPDX-License-Identifier: Apache-2.0
"""Windows of uniform streams (audio).

Channels are mixed as the front end declares, and the samples resampled to its rate. Within a
segment sample n has the stamp t0 + n/rate, with t0 and rate frozen when the segment begins. Short
holes are filled with zeros, long ones end the segment, and so do stamps that drift away from the
lattice and a rate that was measured anew. A window is the T samples that end at the last lattice
index before kH, moved back to a whole frame of the front end, so overlapping windows share their
frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError
from sensebind.grid import MAX_STAMP_NS, NS_PER_S, exact
from sensebind.types import UniformBlock, Window
from sensebind.windowing.lattice import Lattice
from sensebind.windowing.segmented import SegmentedWindower, next_segment_number

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from sensebind.specs import ChannelPolicy
    from sensebind.windowing.rules import UniformRules

    Values = NDArray[np.float32]

SLOWEST_HZ, FASTEST_HZ = 1000, 1_000_000
"""Rates outside are taken for a mistake: below, no sound is left; above, no microphone is."""
LARGEST_DRIFT = 0.01
"""A clock that is further off is no clock; quartz is within 0.0002."""
_NO_STAMPS = np.empty(0, np.int64)


class UniformWindower(SegmentedWindower["Lattice"]):
    """Cuts one uniform stream into windows; blocks of any size give the same windows.

    Samples are taken in order of arrival: audio is not put into order by stamp, because stamps
    of neighbouring blocks may overlap by their jitter.
    """

    def __init__(self, stream: str, rules: UniformRules) -> None:
        """Start an empty stream."""
        super().__init__(stream, rules.hop_ns)
        self._rules = rules
        self._channels = 0

    def push(self, block: UniformBlock) -> list[Window]:
        """Take contiguous samples and return the windows that closed.

        Raises:
            InputError: if the values have another dtype or shape than a UniformBlock's, or the
                rate is none of sound.
        """
        self._check(block)
        stamp_ns, values = block.stamp_ns, _mixed(block.values, self._rules.channels)
        self.counters.pushed += len(values)
        if not 0 <= stamp_ns < MAX_STAMP_NS:
            self.counters.invalid += len(values)
            return []
        if len(values) == 0:
            return []
        windows: list[Window] = []
        if self._segment is not None and self._starts_anew(self._segment, block):
            windows += self._end_segment(next_start_ns=None)
        self._channels = block.values.shape[1]
        if self._segment is None:
            self._begin(block, stamp_ns, after_gap=self._follows_break())
        else:
            windows += self._join(self._segment, block, len(values))
        self._append(stamp_ns, values)
        return windows + self._close_windows()

    def flush(self) -> list[Window]:
        """End the stream: close what can still be closed and settle every counter."""
        return self._end_segment(next_start_ns=None)

    def _check(self, block: UniformBlock) -> None:
        values = block.values
        if values.dtype != np.float32 or values.ndim != 2 or values.shape[1] == 0:
            raise InputError(
                f"block of stream {self._stream!r} has values {values.dtype} {values.shape}, "
                "expected float32 (n, channels)"
            )
        if not SLOWEST_HZ <= block.rate_hz <= FASTEST_HZ:  # NaN is neither
            raise InputError(
                f"block of stream {self._stream!r} has rate_hz={block.rate_hz}, expected "
                f"{SLOWEST_HZ} to {FASTEST_HZ} samples per second; state the rate with rate="
            )
        limit_hz = LARGEST_DRIFT * block.rate_hz
        if block.clock_rate_hz and not abs(block.clock_rate_hz - block.rate_hz) <= limit_hz:
            raise InputError(
                f"block of stream {self._stream!r} has clock_rate_hz={block.clock_rate_hz}, "
                f"expected 0 or within {LARGEST_DRIFT:.0%} of rate_hz={block.rate_hz}"
            )

    def _starts_anew(self, segment: Lattice, block: UniformBlock) -> bool:
        """Count a clock reset or a new format, which begin a new epoch."""
        form = exact(block.rate_hz), block.values.shape[1]
        if block.stamp_ns < segment.expected_ns - self._rules.reset_ns:
            self.counters.resets += 1
        elif form != (segment.nominal_hz, self._channels):
            self.counters.rate_changes += 1
        else:
            return False
        return True

    def _join(self, segment: Lattice, block: UniformBlock, count: int) -> list[Window]:
        """Fit a block behind the segment: note an overlap, fill a hole or begin a new segment."""
        rules, stamp_ns = self._rules, block.stamp_ns
        if _clock_rate(block) != segment.rate:
            pause = stamp_ns - segment.timeline_end_ns > rules.gap_limit_ns
            self.counters.gaps += pause
            self.counters.relocks += not pause
            return self._begin_after_gap(segment, block, stamp_ns)
        if abs(stamp_ns - segment.expected_ns) > rules.tolerance_ns:
            step_ns = stamp_ns - segment.timeline_end_ns
            segment.overlap = 0
            if step_ns < -rules.tolerance_ns:
                segment.overlap = round(-step_ns * segment.rate / NS_PER_S)
            if step_ns > rules.gap_limit_ns:
                self.counters.gaps += 1
                return self._begin_after_gap(segment, block, stamp_ns)
            if step_ns > rules.tolerance_ns:
                missing = round(step_ns * segment.rate / NS_PER_S)
                self.counters.filled += missing
                segment.fill(missing)
        if segment.overlap >= count:
            return []
        overlap = segment.overlap
        kept_ns = stamp_ns + overlap * NS_PER_S / segment.rate
        if abs(kept_ns - segment.next_ns) <= rules.tolerance_ns:
            return []
        self.counters.relocks += 1
        windows = self._begin_after_gap(segment, block, round(kept_ns))
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

    def _begin(self, block: UniformBlock, stamp_ns: int, *, after_gap: bool) -> Lattice:
        self._segment = Lattice(
            next_segment_number(),
            stamp_ns,
            exact(block.rate_hz),
            _clock_rate(block),
            self._rules,
            after_gap=after_gap,
        )
        return self._segment

    def _begin_after_gap(self, ended: Lattice, block: UniformBlock, stamp_ns: int) -> list[Window]:
        """End a segment and begin the next; its windows follow those already closed."""
        windows = self._end_segment(next_start_ns=stamp_ns)
        segment = self._begin(block, stamp_ns, after_gap=True)
        segment.k = max(segment.k, ended.k)
        return windows

    def _cut(self, segment: Lattice, *, before_gap: bool) -> list[Window]:
        """Cut the segment's next window and count what became of it."""
        grid_ns = segment.k * self._rules.hop_ns
        segment.k += 1
        start, end = segment.span(grid_ns)
        coverage = segment.coverage_of(start, end)
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
            segment=segment.number,
            start_index=start,
        )
        return [window]


def _clock_rate(block: UniformBlock) -> Fraction:
    """Samples per second by the clock of the block's stamps."""
    return exact(block.clock_rate_hz or block.rate_hz)


def _mixed(values: Values, channels: ChannelPolicy) -> Values:
    """One channel (n, 1) of several. Summed in order, so that a row depends on nothing else."""
    mono = values[:, :1]
    if channels == "mean" and values.shape[1] > 1:
        mono = mono.copy()
        for column in range(1, values.shape[1]):
            mono += values[:, column : column + 1]
        mono /= np.float32(values.shape[1])
    return mono
