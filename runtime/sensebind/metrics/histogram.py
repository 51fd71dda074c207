# SPDX-License-Identifier: Apache-2.0
"""Percentiles of durations in fixed memory.

A histogram in the manner of HdrHistogram (G. Tene, hdrhistogram.org): buckets are one nanosecond
wide up to 2**7 ns, and from there on each doubling of the value has 2**6 of equal width. A value is
reported as the middle of its bucket, so it is off by at most 1/128 of itself, whatever its size.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BITS = 7
_LARGEST = (1 << 43) - 1
"""Longer durations (2.4 hours) are counted in the last bucket; `max_ns` stays exact."""
_HALF = 1 << (_BITS - 1)
_BUCKETS = (_LARGEST.bit_length() - _BITS + 2) * _HALF

RELATIVE_ERROR = 1 / (1 << _BITS)
"""Largest error of a percentile, as a share of the true one."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a histogram tells, in milliseconds; all 0 where nothing was recorded."""

    count: int
    min_ms: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class Histogram:
    """Counts durations in nanoseconds. Negative ones count as 0; the extremes stay exact.

    Attributes:
        count: durations recorded.
        min_ns: the shortest; 0 if there is none.
        max_ns: the longest; 0 if there is none.
        sum_ns: all together.
    """

    __slots__ = ("_counts", "count", "max_ns", "min_ns", "sum_ns")

    def __init__(self) -> None:
        self._counts = array("q", bytes(8 * _BUCKETS))
        self.count = 0
        self.min_ns = 0
        self.max_ns = 0
        self.sum_ns = 0

    def record(self, duration_ns: int) -> None:
        """Count one duration."""
        value = min(max(duration_ns, 0), _LARGEST)
        shift = max(value.bit_length() - _BITS, 0)
        self._counts[(shift << (_BITS - 1)) + (value >> shift)] += 1
        if self.count == 0:
            self.min_ns = self.max_ns = duration_ns
        elif duration_ns < self.min_ns:
            self.min_ns = duration_ns
        elif duration_ns > self.max_ns:
            self.max_ns = duration_ns
        self.count += 1
        self.sum_ns += duration_ns

    def merge(self, other: Histogram) -> None:
        """Count everything that another histogram counted."""
        if other.count == 0:
            return
        mine = np.frombuffer(self._counts, np.int64)
        np.add(mine, np.frombuffer(other._counts, np.int64), out=mine)
        both = self.count > 0
        self.min_ns = min(self.min_ns, other.min_ns) if both else other.min_ns
        self.max_ns = max(self.max_ns, other.max_ns) if both else other.max_ns
        self.count += other.count
        self.sum_ns += other.sum_ns

    def percentiles(self, *percents: float) -> list[float]:
        """The smallest durations that so many percent do not exceed, in ns; 0 if there is none.

        Each lies within RELATIVE_ERROR, or half a nanosecond, of what sorting would give.
        """
        if self.count == 0:
            return [0.0] * len(percents)
        reached = np.cumsum(np.frombuffer(self._counts, np.int64))
        # Rounded first: 99 % of 100 is 99 of them, not 99.00000000000001.
        ranks = [max(np.ceil(np.round(p / 100 * self.count, 6)), 1) for p in percents]
        middles = _middles()[np.searchsorted(reached, ranks)]
        return [float(np.clip(middle, self.min_ns, self.max_ns)) for middle in middles]

    def summary(self) -> Summary:
        """Count, extremes, mean and percentiles."""
        p50, p95, p99 = self.percentiles(50, 95, 99)
        return Summary(
            count=self.count,
            min_ms=_ms(self.min_ns),
            mean_ms=_ms(self.sum_ns / max(self.count, 1)),
            p50_ms=_ms(p50),
            p95_ms=_ms(p95),
            p99_ms=_ms(p99),
            max_ms=_ms(self.max_ns),
        )


def _ms(duration_ns: float) -> float:
    """Milliseconds with whole nanoseconds, so that they read well as JSON."""
    return round(duration_ns / 1e6, 6)


def _middles() -> NDArray[np.float64]:
    """The value that stands for each bucket."""
    index = np.arange(_BUCKETS)
    shift = np.maximum(index // _HALF - 1, 0)
    low = (index - shift * _HALF) << shift
    middles: NDArray[np.float64] = low + ((1 << shift) - 1) / 2
    return middles
