# SPDX-License-Identifier: Apache-2.0
"""What simple statistics of a window tell: the baselines an encoder must be compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from sensebind_engines.evaluation.probe import LogisticRegression

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

RIDGE = 1e-4
"""Of the regression: of 1e-2, 1e-3 and 1e-4 the best on dev."""


class Baseline(Protocol):
    """Names windows by their statistics."""

    def predict(self, features: NDArray[np.float32]) -> Ints:
        """Class number of each window (n, 6, T)."""
        ...


def window_statistics(features: NDArray[np.float32]) -> Floats:
    """Eighteen numbers per window, float64 (n, 18), of features (n, 6, T).

    Per channel: mean (its absolute value for angular rates, so both directions of turning agree),
    logarithm of the standard deviation, and of the largest deviation from the mean.
    """
    values = features.astype(np.float64)
    mean = values.mean(axis=2)
    deviation = values - mean[:, :, None]
    mean[:, 3:] = np.abs(mean[:, 3:])
    spread = np.log(deviation.std(axis=2) + 1e-3)
    peak = np.log(np.abs(deviation).max(axis=2) + 1e-3)
    return np.concatenate([mean, spread, peak], axis=1)


class _Standardised:
    """Statistics less their mean in training, by their standard deviation there."""

    def __init__(self, features: NDArray[np.float32]) -> None:
        known = window_statistics(features)
        self._mean, self._deviation = known.mean(axis=0), known.std(axis=0) + 1e-9
        self.known = self.rows(features)

    def rows(self, features: NDArray[np.float32]) -> Floats:
        return np.asarray((window_statistics(features) - self._mean) / self._deviation)


class NearestMean:
    """The class whose mean standardised statistics are nearest.

    Args:
        features: (n, 6, T) training windows.
        truth: (n,) class numbers from 0.
    """

    def __init__(self, features: NDArray[np.float32], truth: Ints) -> None:
        self._scale = _Standardised(features)
        numbers = range(int(truth.max()) + 1)
        self._means = np.stack([self._scale.known[truth == n].mean(axis=0) for n in numbers])

    def predict(self, features: NDArray[np.float32]) -> Ints:
        """Class number of each window (n, 6, T)."""
        away = self._scale.rows(features)[:, np.newaxis] - self._means
        return np.asarray(np.square(away).sum(axis=2).argmin(axis=1))


class Regression:
    """Multinomial logistic regression on standardised statistics.

    Args:
        features: (n, 6, T) training windows.
        truth: (n,) class numbers from 0.
        ridge: weight decay.
    """

    def __init__(self, features: NDArray[np.float32], truth: Ints, ridge: float = RIDGE) -> None:
        self._scale = _Standardised(features)
        classes = int(truth.max()) + 1
        self._model = LogisticRegression(self._scale.known, truth, classes, ridge)

    def predict(self, features: NDArray[np.float32]) -> Ints:
        """Class number of each window (n, 6, T)."""
        return np.asarray(self._model.scores(self._scale.rows(features)).argmax(axis=1))
