# SPDX-License-Identifier: Apache-2.0
"""Bootstrap intervals draw whole clusters, and equal a naive resampling of items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind_engines.evaluation.intervals import balanced_figure, map_figure, mean_figure
from sensebind_engines.evaluation.metrics import balanced, mean_average_precision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


def naive(clusters: NDArray[np.int64], seed: int, resamples: int) -> Iterator[NDArray[np.int64]]:
    """Indices of every resample, items of drawn clusters repeated."""
    count = int(clusters.max()) + 1
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        times = rng.multinomial(count, np.full(count, 1 / count))
        yield np.repeat(np.arange(len(clusters)), times[clusters])


def test_intervals_equal_a_naive_resampling() -> None:
    rng = np.random.default_rng(0)
    clusters, truth = rng.integers(0, 6, 40), rng.integers(0, 3, 40)
    clusters[:6] = np.arange(6)
    credit, scores = rng.random(40), rng.random((40, 3))
    positive = np.eye(3, dtype=bool)[truth]
    draws = list(naive(clusters, 5, 200))
    expected = {
        "mean": [credit[i].mean() for i in draws],
        "balanced": [balanced(credit[i], truth[i], 3) for i in draws],
        "map": [mean_average_precision(scores[i], positive[i]) for i in draws],
    }
    found = {
        "mean": mean_figure(credit, clusters, 0.5, 5, 200),
        "balanced": balanced_figure(credit, truth, clusters, 0.5, 5, 200),
        "map": map_figure(scores, positive, clusters, 0.5, 5, 200),
    }
    for name, figure in found.items():
        low, high = np.quantile(expected[name], (0.025, 0.975))
        assert figure.low == pytest.approx(low), name
        assert figure.high == pytest.approx(high), name
        assert (figure.n, figure.clusters, figure.chance) == (40, 6, 0.5)
    assert found["mean"].value == pytest.approx(credit.mean())
    assert found["balanced"].value == pytest.approx(balanced(credit, truth, 3))


def test_whole_recordings_are_drawn() -> None:
    """Ten windows of each of four recordings, all right or all wrong: wide, whatever n says."""
    clusters = np.repeat(np.arange(4), 10)
    credit = np.repeat([1.0, 1.0, 0.0, 0.0], 10)
    wide = mean_figure(credit, clusters, None, 0)
    narrow = mean_figure(credit, np.arange(40), None, 0)
    assert wide.low is not None
    assert wide.high is not None
    assert narrow.low is not None
    assert narrow.high is not None
    assert (wide.low, wide.high) == (0.0, 1.0)
    assert narrow.high - narrow.low < 0.4


def test_one_cluster_and_nothing() -> None:
    one = mean_figure(np.array([1.0]), np.array([0]), 0.5, 0)
    assert (one.value, one.low, one.high, one.n, one.clusters) == (1.0, None, None, 1, 1)
    none = mean_figure(np.empty(0), np.empty(0, np.int64), None, 0)
    assert (none.value, none.low, none.n, none.clusters) == (None, None, 0, 0)
    nothing = np.empty(0, np.int64)
    assert balanced_figure(np.empty(0), nothing, nothing, None, 0).value is None


def test_draws_depend_on_the_seed() -> None:
    credit, clusters = np.random.default_rng(1).random(30), np.arange(30) // 3
    assert mean_figure(credit, clusters, None, 3) == mean_figure(credit, clusters, None, 3)
    assert mean_figure(credit, clusters, None, 3) != mean_figure(credit, clusters, None, 4)
