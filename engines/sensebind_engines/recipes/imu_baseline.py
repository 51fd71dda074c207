# SPDX-License-Identifier: Apache-2.0
"""What simple statistics of a window tell: the baseline an encoder must be compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

_RIDGE = 1e-3


def window_statistics(features: NDArray[np.float32]) -> FloatArray:
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


class StatisticsBaseline:
    """Multinomial logistic regression on standardised window statistics.

    Args:
        features: (n, 6, T) training windows.
        classes: (n,) class numbers from 0.
    """

    def __init__(self, features: NDArray[np.float32], classes: NDArray[np.int64]) -> None:
        statistics = window_statistics(features)
        self._mean, self._std = statistics.mean(axis=0), statistics.std(axis=0) + 1e-9
        rows = self._rows(statistics)
        balance = 1.0 / np.bincount(classes)[classes]
        self._weights = _fit(rows, classes, balance / balance.sum())

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Class number of each window (n, 6, T)."""
        logits = self._rows(window_statistics(features)) @ self._weights
        return np.asarray(logits.argmax(axis=1))

    def _rows(self, statistics: FloatArray) -> FloatArray:
        scaled = (statistics - self._mean) / self._std
        return np.concatenate([scaled, np.ones((len(scaled), 1))], axis=1)


def _fit(rows: FloatArray, classes: NDArray[np.int64], balance: FloatArray) -> FloatArray:
    """Weights (features, classes) that minimise the balanced cross-entropy plus a small ridge."""
    count = int(classes.max()) + 1
    truth = np.eye(count)[classes]

    def loss(flat: FloatArray) -> tuple[float, FloatArray]:
        weights = flat.reshape(rows.shape[1], count)
        logits = rows @ weights
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        value = -(balance[:, None] * truth * logits).sum() + _RIDGE * (weights**2).sum()
        slope = rows.T @ (balance[:, None] * (np.exp(logits) - truth)) + 2.0 * _RIDGE * weights
        return float(value), slope.ravel()

    found = minimize(loss, np.zeros(rows.shape[1] * count), jac=True, method="L-BFGS-B")
    return np.asarray(found.x).reshape(rows.shape[1], count)
