# SPDX-License-Identifier: Apache-2.0
"""One segment of a uniform stream: its samples at the front end's rate, on a frozen lattice.

Sample n of the stream has the stamp t0 + n/rate; t0 and rate do not move. The rate is that by the
clock of the stamps, which differs from the nominal one by what the sound card's clock is off. The
samples are resampled as they come, by the ratio of the nominal rates, so they do not depend on how
well the clock is known; sample m of the result has the stamp t0 + m/rate_out, where rate_out is off
by as much.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from sensebind.grid import NS_PER_S, exact, quotient
from sensebind.windowing.resample import Resampler
from sensebind.windowing.tail import Tail

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.windowing.rules import UniformRules

    Values = NDArray[np.float32]


class Lattice:
    """Samples of a segment, the oldest dropped when no window can need them.

    Attributes:
        number: number of the segment in its stream.
        nominal_hz: samples per second of the stream, as its blocks tell.
        rate: samples per second by the clock of the stamps.
        after_gap: whether a gap, and not the stream's begin, lies before it.
        k: index of the next window; it ends at k hops.
        received: samples of the stream so far, with those that fill holes.
        accepted: of these, measured ones.
        used: measured samples inside the span of at least one emitted window.
        length: resampled samples so far.
        expected_ns: stamp that follows the latest block.
        overlap: coming samples that repeat what is there.
    """

    def __init__(
        self,
        number: int,
        start_ns: int,
        nominal_hz: Fraction,
        rate: Fraction,
        rules: UniformRules,
        *,
        after_gap: bool,
    ) -> None:
        self.number = number
        self.nominal_hz = nominal_hz
        self.rate = rate
        self.after_gap = after_gap
        self.k = rules.first_index_after(start_ns)
        self.received = 0
        self.accepted = 0
        self.used = 0
        self.length = 0
        self.expected_ns = Fraction(start_ns)
        self.overlap = 0
        self._start_ns = start_ns
        self._hop_ns = rules.hop_ns
        self._shift, self._span = rules.shift_samples, rules.span_samples
        nominal_out_hz = exact(rules.rate_hz)
        self._ratio = nominal_hz / nominal_out_hz
        # Whole numbers, since Fractions are slow: samples per step_ns of the result.
        self._samples_per_step, seconds = (rate / self._ratio).as_integer_ratio()
        self._step_ns = seconds * NS_PER_S
        self._resampler = None if self._ratio == 1 else Resampler(nominal_hz, nominal_out_hz)
        self._samples: Tail[np.float32] = Tail(1, np.float32)
        self._holes: deque[tuple[int, int]] = deque()
        self._used_end = 0

    def stamp_of(self, index: int) -> int:
        """Stamp of a resampled sample, rounded to ns."""
        samples = self._samples_per_step
        return quotient(self._start_ns * samples + index * self._step_ns, samples)

    def span(self, grid_ns: int) -> tuple[int, int]:
        """First and last (exclusive) resampled sample of the window of a grid instant."""
        start = (self._index_at(grid_ns) - self._span) // self._shift * self._shift
        return start, start + self._span

    @property
    def next_ns(self) -> int:
        """Stamp of the sample after the last one received, by the lattice."""
        return round(self._start_ns + self.received * NS_PER_S / self.rate)

    @property
    def timeline_end_ns(self) -> Fraction:
        """Where the next sample belongs, by the stamps of the latest block."""
        return self.expected_ns + self.overlap * NS_PER_S / self.rate

    def can_close(self) -> bool:
        """Whether every sample before the next window's instant is there."""
        return self._index_at(self._grid_ns) <= self.length

    def is_touched(self) -> bool:
        """Whether the next window's span begins inside the segment."""
        return self.span(self._grid_ns)[0] < self.length

    def append(self, values: Values) -> int:
        """Add samples (n, 1); those that are not finite become holes, their number is returned."""
        bad = np.flatnonzero(~np.isfinite(values[:, 0]))
        if len(bad):
            values = values.copy()
            values[bad] = 0
            at = self.received
            self._holes.extend((at + int(i), at + int(i) + 1) for i in bad)
        self._extend(values)
        self.accepted += len(values) - len(bad)
        return len(bad)

    def fill(self, count: int) -> None:
        """Add zeros for missing samples."""
        self._holes.append((self.received, self.received + count))
        self._extend(np.zeros((count, 1), np.float32))

    def finish(self) -> None:
        """End the segment: its last samples are resampled with one-sided support."""
        if self._resampler is not None:
            self._keep(self._resampler.finish())

    def coverage_of(self, start: int, end: int) -> float:
        """Share of a span of resampled samples that measured samples stand behind."""
        return self._measured_in(start, end) / (
            self._received_before(end) - self._received_before(start)
        )

    def take(self, start: int, end: int) -> Values:
        """Resampled samples (end - start, 1) of a span, read-only; zero outside the segment."""
        self.used += self._measured_in(max(start, self._used_end), end)
        self._used_end = max(self._used_end, end)
        if start >= 0 and end <= self.length:
            return self._samples.view(start, end)
        out = np.zeros((end - start, 1), np.float32)
        first, last = max(start, 0), min(end, self.length)
        out[first - start : last - start] = self._samples.view(first, last)
        out.flags.writeable = False
        return out

    def trim(self) -> None:
        """Drop what lies before the next window."""
        start = max(0, min(self.span(self._grid_ns)[0], self.length))
        self._samples.drop_before(start)
        oldest = self._received_before(start)
        while self._holes and self._holes[0][1] <= oldest:
            self._holes.popleft()

    @property
    def _grid_ns(self) -> int:
        return self.k * self._hop_ns

    def _index_at(self, stamp_ns: int) -> int:
        """Number of resampled samples before a stamp."""
        return -((self._start_ns - stamp_ns) * self._samples_per_step // self._step_ns)

    def _received_before(self, index: int) -> int:
        """Number of the stream's samples before a resampled one."""
        return -(-index * self._ratio.numerator // self._ratio.denominator)

    def _measured_in(self, start: int, end: int) -> int:
        first = max(self._received_before(start), 0)
        last = min(self._received_before(end), self.received)
        filled = sum(max(0, min(b, last) - max(a, first)) for a, b in self._holes)
        return max(0, last - first - filled)

    def _extend(self, values: Values) -> None:
        self.received += len(values)
        self._keep(values if self._resampler is None else self._resampler.push(values))

    def _keep(self, values: Values) -> None:
        self._samples.append(values)
        self.length += len(values)
