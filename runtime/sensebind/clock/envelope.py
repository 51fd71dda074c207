# SPDX-License-Identifier: Apache-2.0
"""The lower envelope of one-way delays: where a message would have come without waiting.

Arrival less stamp is the offset of the two clocks, plus their drift, plus a delay that is never
below some least one. So the line that touches all points from below tells offset and drift, however
the delays are spread (Moon, Skelly, Towsley: "Estimation and removal of clock skew from network
delay measurements", INFOCOM 1999); of all lines below, the one nearest to the points on average is
the edge of their lower convex hull that spans the mean of their stamps (Zhang, Liu, Xia: "Clock
synchronization algorithms for network measurements", INFOCOM 2002).

Points are thinned to the lowest of each interval, and intervals grow with the time observed, so
memory does not.
"""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

BINS = 128
FIRST_WIDTH_NS = 100_000_000
LAST_WIDTH_NS = FIRST_WIDTH_NS << 8
"""Of these, 128 are 55 minutes; what is older says little of a quartz in changing heat."""
_LEAST_POINTS = 8
_NONE = -(1 << 62)  # no interval; stamps may lie before a clock's first one


class Slope(NamedTuple):
    """Drift of a line and how far off it may be, both without unit."""

    value: float
    uncertainty: float


class Envelope:
    """The lowest points (x, y) of each interval of x, in nanoseconds.

    Attributes:
        count: points seen.
        newest: the greatest x.
        above: how far the least delay lies above the clock's fastest way, in ns.
        inside_ns: when a point was last near the envelope, in ns of the reference clock.
    """

    __slots__ = ("_index", "_width", "_x", "_y", "above", "count", "inside_ns", "newest")

    def __init__(self, above: float, inside_ns: int) -> None:
        self.count = 0
        self.above = above
        self.inside_ns = inside_ns
        self.newest = -float("inf")
        self._width = FIRST_WIDTH_NS
        self._index = _NONE
        self._x: list[float] = []
        self._y: list[float] = []

    def add(self, x: float, y: float, slope: float) -> bool:
        """Take a point; True if it is the first of an interval.

        Args:
            x: device time.
            y: delay.
            slope: drift as far as it is known, to tell what is lowest.
        """
        self.count += 1
        self.newest = max(self.newest, x)
        index = int(x // self._width)
        if index > self._index:
            self._index = index
            self._x.append(x)
            self._y.append(y)
            if len(self._x) > BINS:
                self._thin(slope)
            return True
        if index == self._index and y - slope * x < self._y[-1] - slope * self._x[-1]:
            self._x[-1], self._y[-1] = x, y
        return False

    def slope(self) -> Slope | None:
        """Drift by the hull's edge; None while there are too few points."""
        xs, ys = self._x, self._y
        if len(xs) < _LEAST_POINTS:
            return None
        left, right = _edge(xs, ys)
        value = (ys[right] - ys[left]) / (xs[right] - xs[left])
        return Slope(value, 2 * self.spread(value) / (xs[-1] - xs[0]))

    def spread(self, slope: float) -> float:
        """How far the points typically lie above the line of this slope below them, in ns."""
        flat = [y - slope * x for x, y in zip(self._x, self._y, strict=True)]
        return median(flat) - min(flat)

    def lowest(self, slope: float, horizon_ns: float) -> float:
        """Where the line of this slope below the points of the last `horizon_ns` meets x = 0.

        The newest interval may have just begun, so the one before it always counts.
        """
        begin = min(self._x[-1] - horizon_ns, self._x[-2:][0])
        return min(y - slope * x for x, y in zip(self._x, self._y, strict=True) if x >= begin)

    @property
    def span_ns(self) -> float:
        """Time between the oldest and the newest point."""
        return self._x[-1] - self._x[0] if self._x else 0.0

    def _thin(self, slope: float) -> None:
        """Join intervals in pairs, or forget the oldest where they are as long as they may be."""
        if self._width == LAST_WIDTH_NS:
            del self._x[0], self._y[0]
            return
        xs, ys, count = self._x, self._y, self.count
        self._width *= 2
        self._index, self._x, self._y = _NONE, [], []
        for x, y in zip(xs, ys, strict=True):
            self.add(x, y, slope)
        self.count = count


def _edge(xs: list[float], ys: list[float]) -> tuple[int, int]:
    """Ends of the edge of the lower convex hull over the mean of `xs`, which rise."""
    hull: list[int] = []
    for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            if (ys[b] - ys[a]) * (x - xs[b]) < (y - ys[b]) * (xs[b] - xs[a]):
                break
            hull.pop()
        hull.append(i)
    mean = sum(xs) / len(xs)
    right = next(n for n, i in enumerate(hull) if xs[i] >= mean)
    return hull[right - 1], hull[right]
