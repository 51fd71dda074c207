# SPDX-License-Identifier: Apache-2.0
"""Scale, misalignment and bias of an accelerometer from gravity's size in many orientations.

Whatever the orientation, a calibrated accelerometer at rest measures |g| (Tedaldi, Pretto,
Menegatti, "A robust and easy to implement method for IMU calibration without external equipments",
ICRA 2014). |g| tells nothing of how the sensor as a whole is turned, so the matrix is upper
triangular: the calibrated z axis is the sensor's, and its y axis lies in the sensor's plane of y
and z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import t

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind_calibration.rests import Rests

    Values = NDArray[np.float64]

_SCALES = (0, 4, 8)
_ALL = (0, 1, 2, 4, 5, 8)
_FEWEST_FOR_ALL = 9
"""Orientations from which on nine unknowns can be told."""
_WIDEST = 0.05  # a wider interval of an element is as good as none
_LARGEST_FREEDOM = 1e6
_ENOUGH_FREEDOM = 10


@dataclass(frozen=True, slots=True)
class Affine:
    """calibrated = matrix · (raw - bias), and half of the 95 % intervals of both.

    Attributes:
        matrix, matrix_interval: (3, 3).
        bias, bias_interval: (3,).
        full: the elements off the diagonal were told, too.
        residual: root mean square of what is left.
        modes: matrices and biases one standard deviation away, along the independent directions of
            the fit's uncertainty.
    """

    matrix: Values
    matrix_interval: Values
    bias: Values
    bias_interval: Values
    full: bool
    residual: float
    modes: tuple[tuple[Values, Values], ...] = ()


def calibrate_accelerometer(rests: Rests, gravity_m_s2: float) -> Affine:
    """Fit to the rests; misalignment only where there are orientations enough to tell it."""
    if rests.orientations() >= _FEWEST_FOR_ALL:
        found = _fit(rests, gravity_m_s2, _ALL)
        if found.matrix_interval.max() < _WIDEST:
            return found
    return _fit(rests, gravity_m_s2, _SCALES)


def _fit(rests: Rests, gravity_m_s2: float, elements: tuple[int, ...]) -> Affine:
    raw = rests.means[:, :3]
    # A single rest tells its own error badly, all of them together tell it well.
    lengths = np.diff(rests.bounds, axis=1)
    errors = np.sqrt(np.mean(rests.errors[:, :3] ** 2 * lengths) / lengths[:, 0])
    places = list(elements)

    def unpack(parameters: Values) -> tuple[Values, Values]:
        matrix = np.eye(3).reshape(-1)
        matrix[places] += parameters[:-3]
        return matrix.reshape(3, 3), parameters[-3:] * gravity_m_s2

    def sizes_off(parameters: Values) -> Values:
        matrix, bias = unpack(parameters)
        off: Values = np.linalg.norm((raw - bias) @ matrix.T, axis=1) - gravity_m_s2
        return off

    solved = least_squares(
        lambda parameters: sizes_off(parameters) / errors, np.zeros(len(places) + 3), method="trf"
    )
    covariance, quantile = uncertainty(solved.jac, solved.fun, known_scale=True)
    intervals = quantile * np.sqrt(np.diag(covariance))
    matrix, bias = unpack(solved.x)
    variances, directions = np.linalg.eigh(covariance)
    steps = np.sqrt(np.maximum(variances, 0)) * directions
    spread = np.zeros(9)
    spread[places] = intervals[:-3]
    return Affine(
        matrix=matrix,
        matrix_interval=spread.reshape(3, 3),
        bias=bias,
        bias_interval=intervals[-3:] * gravity_m_s2,
        full=elements == _ALL,
        residual=float(np.sqrt(np.mean(sizes_off(solved.x) ** 2))),
        modes=tuple(unpack(solved.x + step) for step in steps.T),
    )


def uncertainty(
    jacobian: Values, residuals: Values, *, known_scale: bool, used: int = 0
) -> tuple[Values, float]:
    """Covariance of a least-squares fit, and what standard errors take to 95 % confidence.

    Args:
        jacobian: (residuals, parameters) at the solution.
        residuals: there.
        known_scale: they are in units of their own errors; that is believed where there are too
            few to tell, unless they are larger.
        used: residuals that others follow from.
    """
    freedom = len(residuals) - used - jacobian.shape[1]
    chi_square = float(residuals @ residuals)
    scale, quantile = 1.0, float(t.ppf(0.975, _LARGEST_FREEDOM))
    if freedom >= _ENOUGH_FREEDOM or (not known_scale and freedom > 0):
        scale, quantile = chi_square / freedom, float(t.ppf(0.975, freedom))
    elif freedom > 0:
        scale = max(1.0, chi_square / freedom)
    return scale * np.linalg.pinv(jacobian.T @ jacobian), quantile


def fit_linear(design: Values, wanted: Values, weights: Values) -> tuple[Values, Values, float]:
    """The parameters for which design @ parameters is nearest to what is wanted, and their errors.

    Args:
        design: (values, parameters).
        wanted: (values,).
        weights: (values,), one over the standard error of each.

    Returns:
        The parameters, and what `uncertainty` tells of them.
    """
    weighted = weights[:, np.newaxis] * design
    parameters = np.asarray(np.linalg.lstsq(weighted, weights * wanted, rcond=None)[0])
    left = weighted @ parameters - weights * wanted
    return parameters, *uncertainty(weighted, left, known_scale=True)
