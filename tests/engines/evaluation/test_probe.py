# SPDX-License-Identifier: Apache-2.0
"""The probe finds the one minimum, and shots are drawn as they should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.optimize import minimize

from sensebind_engines.evaluation.probe import RIDGE, LogisticRegression, draw_shots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def objective(weights: Floats, rows: Floats, truth: NDArray[np.int64], ridge: float) -> float:
    logits = rows @ weights
    top = logits.max(axis=1, keepdims=True)
    likely = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    chosen = likely[np.arange(len(rows)), truth]
    return float(-chosen.mean() + ridge / 2 * (weights[:-1] ** 2).sum())


@pytest.mark.parametrize(("count", "dim", "classes"), [(30, 5, 3), (6, 40, 6), (1, 3, 2)])
def test_it_is_at_the_minimum(count: int, dim: int, classes: int) -> None:
    rng = np.random.default_rng(count)
    vectors = rng.standard_normal((count, dim))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    truth = rng.integers(0, classes, count)
    model = LogisticRegression(vectors, truth, classes)
    rows = np.concatenate([vectors, np.ones((count, 1))], axis=1)
    if count > 1:  # with one class the biases run away

        def flat(weights: Floats) -> float:
            return objective(weights.reshape(dim + 1, classes), rows, truth, RIDGE)

        best = minimize(flat, np.zeros((dim + 1) * classes), options={"gtol": 1e-7})
        assert objective(model.weights, rows, truth, RIDGE) == pytest.approx(best.fun, abs=1e-5)
    assert (model.scores(vectors).argmax(axis=1) == truth).mean() > 1 / classes


def test_shots_are_of_every_class_and_differ_by_seed() -> None:
    truth = np.array([0] * 10 + [1] * 3 + [3] * 5)
    drawn = [draw_shots(truth, 4, np.random.default_rng(seed)) for seed in range(3)]
    for places in drawn:
        assert np.bincount(truth[places]).tolist() == [4, 3, 0, 4]
        assert len(set(places.tolist())) == len(places)
    assert drawn[0].tolist() != drawn[1].tolist()
    assert draw_shots(truth[:0], 4, np.random.default_rng(0)).shape == (0,)
