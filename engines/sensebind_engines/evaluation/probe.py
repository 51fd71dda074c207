# SPDX-License-Identifier: Apache-2.0
"""Few-shot linear probe: multinomial logistic regression on a few vectors per class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

RIDGE = 1e-2
"""Weight decay on unit vectors. Fixed, not chosen on any data, so nothing is tuned to a test."""
_STEPS = 2000
_TOLERANCE = 1e-9


class LogisticRegression:
    """Softmax regression with a bias and a ridge on the weights, at its one minimum.

    Minimises the mean cross-entropy plus ridge / 2 times the squared weights (not the biases) by
    Nesterov's accelerated gradient with restarts.

    Args:
        vectors: (n, dim) training rows.
        truth: (n,) class numbers below `classes`.
        classes: number of classes; one without rows gets what the bias leaves it.
        ridge: see above.
    """

    def __init__(self, vectors: Floats, truth: Ints, classes: int, ridge: float = RIDGE) -> None:
        rows = _with_bias(vectors)
        wanted = np.eye(classes)[truth]
        decay = np.full((rows.shape[1], 1), ridge)
        decay[-1] = 0.0
        # Half of the largest eigenvalue of the rows' second moment bounds the curvature.
        curvature = 0.5 * float(np.linalg.norm(rows, 2)) ** 2 / len(rows) + ridge
        weights = ahead = np.zeros((rows.shape[1], classes))
        momentum = 1.0
        for _ in range(_STEPS):
            slope = rows.T @ (_softmax(rows @ ahead) - wanted) / len(rows) + decay * ahead
            following = ahead - slope / curvature
            step = following - weights
            if float(np.abs(step).max()) < _TOLERANCE:
                weights = following
                break
            if float(np.sum(slope * step)) > 0:  # uphill: forget the momentum
                momentum = 1.0
            grown = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            ahead = following + (momentum - 1) / grown * step
            weights, momentum = following, grown
        self.weights: Floats = weights

    def scores(self, vectors: Floats) -> Floats:
        """Logits (n, classes)."""
        return np.asarray(_with_bias(vectors) @ self.weights, np.float64)


def draw_shots(truth: Ints, shots: int, rng: np.random.Generator) -> Ints:
    """Places of `shots` rows of each class, drawn without replacement; all of a smaller class."""
    chosen = [
        rng.permutation(np.flatnonzero(truth == number))[:shots] for number in np.unique(truth)
    ]
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)


def _with_bias(vectors: Floats) -> Floats:
    return np.concatenate([vectors, np.ones((len(vectors), 1))], axis=1)


def _softmax(logits: Floats) -> Floats:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float64)
