# SPDX-License-Identifier: Apache-2.0
"""What zero-shot scores are worth: their temperature, and how far they can be believed.

The temperature is the one under which the labels are most likely (Guo, Pleiss, Sun, Weinberger: "On
calibration of modern neural networks", ICML 2017); its interval holds every temperature under which
they are not much less likely (profile likelihood, chi-square of one degree).

The calibration error is the mean difference of the best class's score and the share of right labels
over bins of equally many windows. Of few windows most of it is chance: what scores that are exactly
right would show is told beside it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import beta

from sensebind_calibration.sense_sections import ReliabilityBin

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind_calibration.sections import Interval

    Values = NDArray[np.float64]
    Times = NDArray[np.int64]

CONFIDENCE = 0.95
_TEMPERATURES = np.geomspace(1e-3, 10.0, 600)
_DEEPEST = 1.9207  # half the 95 % quantile of chi-square with one degree of freedom
_FOLDS = 5
_MOST_BINS = 10
_PER_BIN = 10
_RESAMPLED = 400


class TemperatureFit(NamedTuple):
    """The likeliest temperature and its 95 % interval.

    Attributes:
        value: the temperature.
        low, high: its interval.
        bounded_below, bounded_above: whether the windows tell that end of it.
    """

    value: float
    low: float
    high: float
    bounded_below: bool
    bounded_above: bool


class Calibratedness(NamedTuple):
    """Calibration error with its 95 % interval, and what exactly right scores would show."""

    error: float
    interval: Interval
    perfect: float


def shares(cosines: Values, temperature: float) -> Values:
    """softmax(cosine / temperature), float64 (n, classes)."""
    logits = cosines / temperature
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def fit_temperature(cosines: Values, classes: Times) -> TemperatureFit:
    """Fit to windows of known classes.

    Args:
        cosines: float64 (n, classes).
        classes: int64 (n,), the right ones.
    """
    unlikely = np.array([_unlikely(cosines, classes, t) for t in _TEMPERATURES])
    best = int(unlikely.argmin())
    likely = np.flatnonzero(unlikely <= unlikely[best] + _DEEPEST)
    first, last = int(likely[0]), int(likely[-1])
    end = len(_TEMPERATURES) - 1
    return TemperatureFit(
        _least(unlikely, best),
        float(_TEMPERATURES[max(first - 1, 0)]),
        float(_TEMPERATURES[min(last + 1, end)]),
        first > 0,
        last < end,
    )


def cross_fitted(cosines: Values, classes: Times) -> Values:
    """Scores (n, classes), each with a temperature that was fitted without its window."""
    order = np.random.default_rng(0).permutation(len(classes))
    scores = np.empty_like(cosines)
    for fold in np.array_split(order, _FOLDS):
        others = np.setdiff1d(order, fold)
        scores[fold] = shares(
            cosines[fold], fit_temperature(cosines[others], classes[others]).value
        )
    return scores


def calibratedness(scores: Values, classes: Times) -> Calibratedness:
    """Calibration error of scores (n, classes) of windows whose classes are known."""
    best, right = scores.max(axis=1), scores.argmax(axis=1) == classes
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(best), (_RESAMPLED, len(best)))
    resampled = [_error(best[rows], right[rows]) for rows in drawn]
    perfect = [_error(best, rng.random(len(best)) < best) for _ in range(_RESAMPLED)]
    # Resampling adds chance to chance, so its quantiles lie too high; its scatter is right.
    error, half = _error(best, right), 1.96 * float(np.std(resampled))
    interval = max(error - half, 0.0), min(error + half, 1.0)
    return Calibratedness(error, interval, float(np.mean(perfect)))


def reliability(scores: Values, before: Values, classes: Times) -> tuple[ReliabilityBin, ...]:
    """The bins of the diagram, by rising score.

    Args:
        scores: float64 (n, classes).
        before: the same with the temperature before.
        classes: int64 (n,).
    """
    best, right = scores.max(axis=1), scores.argmax(axis=1) == classes
    return tuple(
        ReliabilityBin(
            score=float(best[rows].mean()),
            score_before=float(before.max(axis=1)[rows].mean()),
            right=float(right[rows].mean()),
            right_interval=share_interval(int(right[rows].sum()), len(rows)),
            windows=len(rows),
        )
        for rows in _bins(best)
    )


def share_interval(found: int, of: int) -> Interval:
    """95 % interval of a share that was counted (Clopper and Pearson, 1934)."""
    tail = (1 - CONFIDENCE) / 2
    low = float(beta.ppf(tail, found, of - found + 1)) if found else 0.0
    high = float(beta.ppf(1 - tail, found + 1, of - found)) if found < of else 1.0
    return low, high


def _unlikely(cosines: Values, classes: Times, temperature: float) -> float:
    """Negative log-likelihood of the labels."""
    logits = cosines / temperature
    top = logits.max(axis=1)
    sums = top + np.log(np.exp(logits - top[:, np.newaxis]).sum(axis=1))
    return float((sums - logits[np.arange(len(classes)), classes]).sum())


def _least(unlikely: Values, best: int) -> float:
    """The temperature between grid points, by a parabola through three of them."""
    if not 0 < best < len(unlikely) - 1:
        return float(_TEMPERATURES[best])
    before, at, after = unlikely[best - 1 : best + 2]
    curve = before - 2 * at + after
    shift = 0.5 * (before - after) / curve if curve > 0 else 0.0
    step = math.log(_TEMPERATURES[1] / _TEMPERATURES[0])
    return float(_TEMPERATURES[best] * math.exp(shift * step))


def _bins(best: Values) -> list[Times]:
    count = min(_MOST_BINS, max(1, len(best) // _PER_BIN))
    return list(np.array_split(np.argsort(best, kind="stable"), count))


def _error(best: Values, right: NDArray[np.bool_]) -> float:
    gaps = [len(rows) * abs(best[rows].mean() - right[rows].mean()) for rows in _bins(best)]
    return float(sum(gaps) / len(best))
