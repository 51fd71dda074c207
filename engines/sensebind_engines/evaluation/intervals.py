# SPDX-License-Identifier: Apache-2.0
"""Bootstrap intervals over clusters: windows of one recording are not independent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sensebind_engines.evaluation.metrics import mean_average_precision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

RESAMPLES = 1000
LEVEL = 0.95


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A measured value.

    Attributes:
        value: what was measured; None if nothing could be.
        low: lower end of the 95 % interval; None with fewer than two clusters.
        high: its upper end.
        chance: what a random answer gives in the mean; None where there is no such thing.
        n: queries.
        clusters: independent groups among them.
    """

    value: float | None
    low: float | None
    high: float | None
    chance: float | None
    n: int
    clusters: int


def mean_figure(
    credit: Floats, clusters: Ints, chance: float | None, seed: int, resamples: int = RESAMPLES
) -> Figure:
    """The mean of credits (n,) with its interval.

    Args:
        credit: per query.
        clusters: (n,) group numbers from 0; whole groups are drawn, with replacement.
        chance: for the record.
        seed: of the draws.
        resamples: how many.
    """
    count = int(clusters.max(initial=-1)) + 1
    sums = np.bincount(clusters, credit, count)
    sizes = np.bincount(clusters, minlength=count).astype(np.float64)
    drawn = np.array([(w @ sums) / (w @ sizes) for w in _draws(count, seed, resamples)])
    return _figure(_mean(credit), drawn, chance, len(credit), count)


def balanced_figure(
    credit: Floats,
    truth: Ints,
    clusters: Ints,
    chance: float | None,
    seed: int,
    resamples: int = RESAMPLES,
) -> Figure:
    """The mean over classes of the mean credit of their queries, with its interval.

    A resample without any query of a class leaves the class out.
    """
    count, classes = int(clusters.max(initial=-1)) + 1, int(truth.max(initial=-1)) + 1
    place = clusters * classes + truth
    sums = np.bincount(place, credit, count * classes).reshape(count, classes)
    sizes = np.bincount(place, minlength=count * classes).reshape(count, classes).astype(float)
    drawn = np.array([_mean_ratio(w @ sums, w @ sizes) for w in _draws(count, seed, resamples)])
    value = _mean_ratio(sums.sum(axis=0), sizes.sum(axis=0))
    return _figure(value, drawn, chance, len(credit), count)


def map_figure(
    scores: Floats,
    truth: NDArray[np.bool_],
    clusters: Ints,
    chance: float | None,
    seed: int,
    resamples: int = RESAMPLES,
) -> Figure:
    """Mean average precision over classes, with its interval."""
    count = int(clusters.max(initial=-1)) + 1
    drawn = [
        mean_average_precision(scores, truth, weights[clusters])
        for weights in _draws(count, seed, resamples)
    ]
    value = mean_average_precision(scores, truth)
    return _figure(value, np.array(drawn), chance, len(scores), count)


def _draws(clusters: int, seed: int, resamples: int) -> Iterator[Floats]:
    """How often each cluster is drawn, resample by resample; none for fewer than two clusters."""
    if clusters < 2:
        return
    rng = np.random.default_rng(seed)
    shares = np.full(clusters, 1.0 / clusters)
    for _ in range(resamples):
        yield rng.multinomial(clusters, shares).astype(np.float64)


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _mean_ratio(sums: Floats, sizes: Floats) -> float:
    there = sizes > 0
    return float(np.mean(sums[there] / sizes[there])) if there.any() else float("nan")


def _figure(value: float, drawn: Floats, chance: float | None, n: int, clusters: int) -> Figure:
    low: float | None = None
    high: float | None = None
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn):
        tail = (1 - LEVEL) / 2
        low, high = (float(q) for q in np.quantile(drawn, (tail, 1 - tail)))
    known = value if np.isfinite(value) else None
    return Figure(value=known, low=low, high=high, chance=chance, n=n, clusters=clusters)
