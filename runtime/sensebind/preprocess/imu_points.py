# SPDX-License-Identifier: Apache-2.0
"""The points of IMU windows, and how overlapping windows of one segment share them.

A point depends on a few samples on either side of it, its support. Where a window holds all of it,
the point is *settled*: every window of the segment that holds the support computes the same bytes
from it. So a settled point is computed in the first window that has it and copied in the others,
and samples are checked once. Computed in every window are the points that are not settled, near
the ends of a segment, and all points where nothing is known to be equal: if the hop is no whole
number of points to the nanosecond, if one window is averaged and the next is not, behind windows
that were skipped for so long that no point overlaps, or when a window comes before an earlier one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from sensebind.grid import NS_PER_S, exact, grid_offsets_ns
from sensebind.preprocess import _imu_kernels as kernels
from sensebind.preprocess.column_ring import ColumnRing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Stamps = NDArray[np.int64]
    Values = NDArray[np.float64]
    Features = NDArray[np.float32]

_WINDOWS_HELD = 4
"""Room of the ring in windows: the more, the more seldom its points are moved to the front."""
_ALWAYS, _NEVER = -math.inf, math.inf
"""Densities above which samples are averaged that settle whether they are."""


@dataclass(frozen=True, slots=True, eq=False)
class PointPlan:
    """How the points of a window are computed; the arguments were checked.

    Attributes:
        length_ns: span of the window.
        rate_hz: rate of the points.
        cubic: whether the interpolation is.
        max_interval_ns: longest interval a cubic crosses.
        dense: samples per point above which they are averaged.
        affine: matrices (2, 3, 3) and offsets (2, 3) of the calibration.
    """

    length_ns: int
    rate_hz: float
    cubic: bool
    max_interval_ns: int
    dense: float
    affine: tuple[Values, Values]

    @property
    def before_end_ns(self) -> Stamps:
        """How far before the window's end each point lies, int64 (T,), falling."""
        return grid_offsets_ns(self.length_ns, self.rate_hz)

    @property
    def reach_ns(self) -> int:
        """How far an average reaches to either side, in whole nanoseconds."""
        return math.ceil(NS_PER_S / self.rate_hz)

    def fill(
        self,
        stamps_ns: Stamps,
        values: Values,
        end_ns: int,
        out: Features,
        *,
        first: int = 0,
        dense: float | None = None,
    ) -> bool:
        """Compute the points from `first` on into out (6, T - first); see `kernels.resample`."""
        return kernels.resample(
            stamps_ns,
            values,
            end_ns,
            self.length_ns,
            self.before_end_ns[first:],
            self.cubic,
            self.max_interval_ns,
            self.dense if dense is None else dense,
            NS_PER_S / self.rate_hz,
            *self.affine,
            out,
        )

    def is_averaged(self, stamps_ns: Stamps, end_ns: int) -> bool:
        """Whether the window's points are means of its samples."""
        start, end = stamps_ns.searchsorted((end_ns - self.length_ns, end_ns))
        return bool(end - start > self.dense * self.before_end_ns.size)

    def settled(self, stamps_ns: Stamps, end_ns: int, *, averaged: bool) -> int:
        """How many points, from the first on, have all their support; 0 if the first has not."""
        beyond, reach_ns = (0, self.reach_ns) if averaged else (int(self.cubic), 0)
        begin_ns = int(stamps_ns[beyond]) + reach_ns
        last_ns = int(stamps_ns[-1 - beyond]) - (reach_ns if averaged else 1)
        before_end_ns = self.before_end_ns
        if end_ns - int(before_end_ns[0]) < begin_ns:
            return 0
        too_late = int(before_end_ns[::-1].searchsorted(end_ns - last_ns))
        return before_end_ns.size - too_late

    def support_of(self, point: int, stamps_ns: Stamps, end_ns: int, *, averaged: bool) -> int:
        """Index of the first sample that a point depends on; the points before it must be settled.

        At least two samples follow from there on.
        """
        at_ns = end_ns - int(self.before_end_ns[point]) - (self.reach_ns if averaged else 0)
        before = min(int(stamps_ns.searchsorted(at_ns, side="right")) - 1, stamps_ns.size - 2)
        return before if averaged else before - int(self.cubic)


class SharedPoints:
    """Makes the windows of one stream, each point once where windows share it. One thread owns it.

    `run` counts the stretches of windows that share points: a stretch ends where they may differ.
    """

    def __init__(self, plan: PointPlan) -> None:
        self._plan = plan
        points = plan.before_end_ns.size
        self._ring = ColumnRing(kernels.CHANNELS, _WINDOWS_HELD * points)
        self._run = 0
        self._rows = range(0)  # of the segment, in the newest window with usable samples
        # Of the newest window:
        self._segment = -1
        self._end_ns = 0
        self._first = 0  # point of the run
        self._averaged = False

    def fill(
        self,
        stamps_ns: Stamps,
        values: Values,
        end_ns: int,
        out: Features,
        *,
        segment: int,
        start_index: int,
    ) -> bool:
        """Fill out (6, T) with a window's points; False and nothing if the samples are unusable."""
        plan = self._plan
        averaged = plan.is_averaged(stamps_ns, end_ns)
        checked = self._begin(segment, start_index, end_ns, averaged=averaged)
        held = self._ring.begin_at(self._run, self._first)
        settled = plan.settled(stamps_ns, end_ns, averaged=averaged)
        known = min(held, settled, out.shape[1] - 1)
        if known:
            first = plan.support_of(known, stamps_ns, end_ns, averaged=averaged)
            # The newest checked sample is looked at again: the next one must be newer.
            rows = slice(min(first, checked - 1), None)
            added = np.empty((kernels.CHANNELS, out.shape[1] - known), np.float32)
            dense = _ALWAYS if averaged else _NEVER
            if not plan.fill(
                stamps_ns[rows], values[rows], end_ns, added, first=known, dense=dense
            ):
                return False
            out[:, :known] = self._ring.columns(known)
            out[:, known:] = added
        elif not plan.fill(stamps_ns, values, end_ns, out):
            return False
        if settled > held:
            self._ring.extend(settled - held)[:] = out[:, held:settled]
        self._rows = range(start_index, start_index + stamps_ns.size)
        return True

    def _begin(self, segment: int, start_index: int, end_ns: int, *, averaged: bool) -> int:
        """Move on to a window; how many of its samples earlier ones have checked."""
        shift = points_between(end_ns - self._end_ns, self._plan.length_ns, self._plan.rate_hz)
        same = segment == self._segment and averaged == self._averaged
        if shift is None or not same or start_index not in self._rows:
            self._run += 1
            self._first, self._rows = 0, range(0)
        else:
            self._first += shift
        self._segment, self._end_ns, self._averaged = segment, end_ns, averaged
        return self._rows.stop - start_index


@lru_cache(maxsize=64)
def points_between(apart_ns: int, length_ns: int, rate_hz: float) -> int | None:
    """By how many points a window is ahead of another, if their points then coincide exactly.

    Args:
        apart_ns: how much later it ends.
        length_ns: span of both.
        rate_hz: rate of both.

    Returns:
        None if they share no point, or not all that both might have.
    """
    before_end_ns = grid_offsets_ns(length_ns, rate_hz)
    shift = round(Fraction(apart_ns, NS_PER_S) * exact(rate_hz))
    if not 0 <= shift < before_end_ns.size:
        return None
    moved_ns = before_end_ns[: before_end_ns.size - shift] - before_end_ns[shift:]
    return shift if bool((moved_ns == apart_ns).all()) else None
