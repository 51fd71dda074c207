# SPDX-License-Identifier: Apache-2.0
"""The true rate of a sampled stream: what a reference clock says while samples are counted.

Samples are counted at their nominal rate, and each block was seen at some instant of the reference
clock, late by a delay that scatters. The recording is cut into up to forty parts; of each, either
the median or the least delay counts, whichever scatters less about a line over all parts: delays of
a queue have a sharp lower edge, stamps with an error to both sides do not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t

from sensebind.errors import InputError
from sensebind.grid import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Times = NDArray[np.int64]
    Values = NDArray[np.float64]

SHORTEST_S = 10.0
_PARTS = 40
_FEWEST_PARTS = 8
_PER_PART = 5
_EXACT_NS = 2_000  # stamps this near to the nominal lattice were computed, not measured
_LARGEST_PPM = 5_000.0
_STEP_S = 0.05
_ROUNDS = 3
_WANDERING = 0.4  # correlation of neighbouring parts
_STRETCHES = 5


@dataclass(frozen=True, slots=True)
class RateFit:
    """By how much a stream's clock runs fast, with the 95 % interval, in ppm."""

    ppm: float
    low_ppm: float
    high_ppm: float


def true_rate(counted_ns: Times, seen_ns: Times) -> RateFit | None:
    """Compare a count of samples with a clock.

    Args:
        counted_ns: int64 (blocks,), rising: when each block is due by the nominal rate.
        seen_ns: when it was seen, by the reference clock.

    Returns:
        None if the recording is too short to tell, or its stamps were computed from the nominal
        rate.

    Raises:
        InputError: if samples were lost on the way, or the rate is another than the nominal one.
    """
    x = (counted_ns - counted_ns[0]) / NS_PER_S
    y = ((seen_ns - seen_ns[0]) - (counted_ns - counted_ns[0])) / NS_PER_S
    parts = min(_PARTS, len(x) // _PER_PART)
    if parts < _FEWEST_PARTS or x[-1] < SHORTEST_S or np.ptp(y) * NS_PER_S < _EXACT_NS:
        return None
    places = np.array_split(np.arange(len(x)), parts)
    slope = float(np.polyfit(x, y, 1)[0])
    fits = [_fit(x, y, places, slope, which) for which in (_middle, _lowest)]
    fit = min(fits, key=lambda each: each.scatter)
    _check(fit)
    half = fit.error * float(t.ppf(0.975, fit.freedom))
    # y grows by what the reference gains on the count: a fast clock makes it fall.
    fast, high, low = (-g / (1 + g) for g in (fit.slope, fit.slope - half, fit.slope + half))
    return RateFit(fast * 1e6, low * 1e6, high * 1e6)


@dataclass(frozen=True, slots=True)
class _Line:
    slope: float
    error: float
    freedom: int
    scatter: float
    steps: float


def _middle(flat: Values) -> int:
    return int(np.argsort(flat)[len(flat) // 2])


def _lowest(flat: Values) -> int:
    return int(flat.argmin())


def _fit(
    x: Values, y: Values, places: list[Times], slope: float, which: Callable[[Values], int]
) -> _Line:
    """A line through one point of each part; its slope decides which point that is."""
    for _ in range(_ROUNDS):
        flat = y - slope * x
        chosen = np.array([part[which(flat[part])] for part in places])
        at, delay = x[chosen], y[chosen]
        slope, height = np.polyfit(at, delay, 1)
    off = delay - slope * at - height
    freedom = len(at) - 2
    variance = float(off @ off) / freedom
    # Delays that wander make neighbours alike, and the slope less certain.
    alike = max(float(off[1:] @ off[:-1]) / max(float(off @ off), 1e-30), 0.0)
    scatter, steps = math.sqrt(variance), float(np.abs(np.diff(off)).max())
    if alike > _WANDERING:
        # Then each stretch has a slope of its own, whose scatter tells what the mean is worth.
        stretches = np.array_split(np.arange(len(at)), _STRETCHES)
        slopes = [np.polyfit(at[part], delay[part], 1)[0] for part in stretches]
        error = float(np.std(slopes, ddof=1)) / math.sqrt(_STRETCHES)
        return _Line(float(slope), error, _STRETCHES - 1, scatter, steps)
    spread = float(((at - at.mean()) ** 2).sum())
    error = math.sqrt(variance * (1 + alike) / (1 - alike) / spread)
    return _Line(float(slope), error, freedom, scatter, steps)


def _check(fit: _Line) -> None:
    ppm = -fit.slope * 1e6
    if fit.steps > _STEP_S:
        raise InputError(
            f"the stamps of the sound step by {fit.steps * 1e3:.0f} ms against its samples: some "
            "were lost or repeated; record again with less load, or choose a part by --from and "
            "--to"
        )
    if abs(ppm) > _LARGEST_PPM:
        raise InputError(
            f"the samples come {ppm / 1e4:+.1f} % faster than the rate that the stream declares, "
            "expected less than 0.5 %: the rate is declared wrong; give --stream "
            "TOPIC=audio,rate=HZ"
        )
