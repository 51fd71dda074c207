# SPDX-License-Identifier: Apache-2.0
"""Offset and drift of two clocks: a line through differences of stamps, some of them wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t

from sensebind.grid import NS_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Times = NDArray[np.int64]
    Flags = NDArray[np.bool_]

_ROUNDS = 30
_KEPT_SIGMAS = 3.0
_KEPT_VARIANCE = 0.9733  # of a normal distribution cut off there
_MAD = 1.4826
_LEAST_SCATTER_NS = 1.0
_TOLD = 1.5  # three standard errors


@dataclass(frozen=True, slots=True)
class ClockLine:
    """By the reference = stamp + offset_ns + slope · (stamp - at_ns).

    Attributes:
        at_ns: mean of the stamps it stands on.
        offset_ns: see above.
        slope: what the reference gains per second; 0 where no drift was asked for.
        offset_half_ns: half of the 95 % confidence interval of the offset.
        slope_half: half of that of the slope.
        scatter_ns: standard deviation of a difference about the line.
        kept: bool (n,), the differences it stands on.
    """

    at_ns: int
    offset_ns: float
    slope: float
    offset_half_ns: float
    slope_half: float
    scatter_ns: float
    kept: Flags

    @property
    def count(self) -> int:
        """Differences it stands on."""
        return int(np.count_nonzero(self.kept))

    @property
    def drift_ppm(self) -> float:
        """By how much the stream's clock runs fast."""
        return -self.slope / (1 + self.slope) * 1e6

    @property
    def drift_half_ppm(self) -> float:
        """Half of the 95 % confidence interval of the drift."""
        return self.slope_half / (1 + self.slope) ** 2 * 1e6

    @property
    def drifts(self) -> bool:
        """Whether the drift is told from none; a false one spoils the offset of later runs."""
        return abs(self.slope) > _TOLD * self.slope_half


def fit_line(
    stamps_ns: Times, differences_ns: Times, slope: float = 0.0, *, drift: bool = True
) -> ClockLine:
    """Fit a line to differences whose errors are alike, but for some that are far off.

    Differences farther than three standard deviations from the line are left out, the deviation
    told by the median at first and then by those kept.

    Args:
        stamps_ns: int64 (n,), by the stream's clock; n > 3.
        differences_ns: int64 (n,), reference less stream.
        slope: to begin with.
        drift: fit a slope; else the line is level.
    """
    at_ns = int(np.rint(np.mean(stamps_ns - stamps_ns[0]))) + int(stamps_ns[0])
    x = (stamps_ns - at_ns) / NS_PER_S
    base_ns = int(np.median(differences_ns))
    y = (differences_ns - base_ns).astype(np.float64)
    slope_ns = slope * NS_PER_S if drift else 0.0
    height = float(np.median(y - slope_ns * x))
    kept = np.ones(len(x), np.bool_)
    off = y - slope_ns * x - height
    scatter = _MAD * float(np.median(np.abs(off)))
    for _ in range(_ROUNDS):
        near = np.abs(off) <= max(_KEPT_SIGMAS * scatter, _LEAST_SCATTER_NS)
        if np.count_nonzero(near) < 3 + drift:
            break
        height, slope_ns = _least_squares(x[near], y[near], drift=drift)
        off = y - slope_ns * x - height
        freedom = np.count_nonzero(near) - 1 - drift
        scatter = math.sqrt(float(off[near] @ off[near]) / freedom / _KEPT_VARIANCE)
        if (near == kept).all():
            break
        kept = near
    return _line(x, kept, at_ns, base_ns, height, slope_ns, scatter, drift=drift)


def _least_squares(
    x: NDArray[np.float64], y: NDArray[np.float64], *, drift: bool
) -> tuple[float, float]:
    """Height at 0 and slope."""
    if not drift:
        return float(y.mean()), 0.0
    middle = float(x.mean())
    spread = float(((x - middle) ** 2).sum())
    slope = float(((x - middle) * y).sum()) / spread if spread > 0 else 0.0
    return float(y.mean()) - slope * middle, slope


def _line(
    x: NDArray[np.float64],
    kept: Flags,
    at_ns: int,
    base_ns: int,
    height: float,
    slope_ns: float,
    scatter: float,
    *,
    drift: bool,
) -> ClockLine:
    """The line about the mean of what was kept, where offset and slope err independently."""
    count = int(np.count_nonzero(kept))
    middle = float(x[kept].mean())
    spread = float(((x[kept] - middle) ** 2).sum())
    factor = float(t.ppf(0.975, max(count - 1 - drift, 1)))
    return ClockLine(
        at_ns=at_ns + round(middle * NS_PER_S),
        offset_ns=base_ns + height + slope_ns * middle,
        slope=slope_ns / NS_PER_S,
        offset_half_ns=factor * scatter / math.sqrt(count),
        slope_half=factor * scatter / math.sqrt(spread) / NS_PER_S if drift and spread > 0 else 0.0,
        scatter_ns=scatter,
        kept=kept,
    )
