# SPDX-License-Identifier: Apache-2.0
"""Noise parameters of a sensor from its Allan deviation, with confidence intervals.

Model (IEEE Std 952-1997, annex C): σ²(τ) = N²/τ + C + K² τ/3, with white noise N (angle or velocity
random walk, unit/√Hz), a floor C of flicker noise and rate random walk K (unit/s/√Hz). In this
convention, which Kalibr and the ROS tools share, N is the deviation that the white noise alone has
at 1 s, and the standard deviation of one reading is N·√rate.

The three are fitted together by generalised least squares, so that the one does not leak into the
other. The covariance of the deviations at different spans, which all come from the same readings,
follows from the model itself: each is a filter of the same periodogram,

    cov(σ²(τ₁), σ²(τ₂)) = 1/T ∫ 16 W₁ W₂ S² df,  W = sin⁴(πfτ)/(πfτ)²,

with the two-sided density S(f) = N² + C/(4 ln 2 · f) + K²/(2πf)².
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import chi2

from sensebind.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sensebind_calibration.allan import AllanCurve

    Values = NDArray[np.float64]

FLICKER_FACTOR = math.sqrt(2 * math.log(2) / math.pi)
"""0.664: a flicker floor is this times the bias instability (IEEE Std 952-1997, C.1.3)."""

CONFIDENCE = 0.95
_SHORTEST = 10  # readings; below, filters inside sensors colour the noise
_EVERY = 3  # of twelve spans per decade: closer ones tell the same again
_FEWEST = 5
_ROUNDS = 4
_FREQUENCIES = 6000
_SIGNIFICANT = 2.0  # standard errors above 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its confidence interval of 95 %.

    Attributes:
        value: the estimate; 0 if the effect was not seen, then `high` is what it is at most.
        low, high: ends of the interval.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class AxisNoise:
    """Noise of one axis, in the unit u of its readings.

    Attributes:
        noise_density: N, u/√Hz.
        random_walk: K, u/s/√Hz.
        bias_instability: least Allan deviation / 0.664, u; what a bias wanders at best.
        minimum: the least deviation, u.
        minimum_tau_s: where it is; at the longest span it is an upper limit only.
        at_1_s: the deviation itself at 1 s (by log-log interpolation), u; nan if not covered.
        misfit: largest |deviation / model - 1| over the spans fitted.
    """

    noise_density: Estimate
    random_walk: Estimate
    bias_instability: Estimate
    minimum: float
    minimum_tau_s: float
    at_1_s: float
    misfit: float


def axis_noise(curve: AllanCurve, axis: int) -> AxisNoise:
    """Fit the model to one axis of a curve.

    Raises:
        InputError: if the recording is too short, or the axis does not vary at all.
    """
    deviations = curve.deviations[axis]
    if not (np.isfinite(deviations).all() and (deviations > 0).all()):
        raise InputError(
            "an axis never changes (its Allan deviation is 0) or is not finite; the sensor is "
            "stuck, or its readings were rounded away: record it again"
        )
    chosen = np.flatnonzero(curve.counts >= _SHORTEST)[::-_EVERY][::-1]
    if len(chosen) < _FEWEST:
        raise InputError(
            f"the recording of {curve.readings} readings ({curve.duration_s:.0f} s) is too short "
            "to tell noise from drift; expected at least "
            f"{math.ceil(9 * _SHORTEST * 10 ** ((_FEWEST - 1) * _EVERY / 12) / curve.rate_hz)} s"
        )
    taus_s = curve.taus_s[chosen]
    fitted = _fit(taus_s, deviations[chosen] ** 2, curve.duration_s, curve.rate_hz)
    model = np.sqrt(_terms(taus_s) @ fitted.parameters)
    lowest = int(np.argmin(deviations))
    least, tau_s = float(deviations[lowest]), float(curve.taus_s[lowest])
    return AxisNoise(
        noise_density=fitted.estimate(0),
        random_walk=fitted.estimate(2),
        bias_instability=_instability(least, tau_s, curve.duration_s),
        minimum=least,
        minimum_tau_s=tau_s,
        at_1_s=_at(curve.taus_s, deviations, 1.0),
        misfit=float(np.abs(deviations[chosen] / model - 1).max()),
    )


@dataclass(frozen=True, slots=True)
class _Fit:
    """N², C, K² with their standard errors, and those they had if they were as large as may be."""

    parameters: Values
    errors: Values
    limits: Values

    def estimate(self, place: int) -> Estimate:
        """The root of a parameter; its square is taken to be chi-square distributed."""
        value, error = float(self.parameters[place]), float(self.errors[place])
        if value < _SIGNIFICANT * error:
            return Estimate(0.0, 0.0, math.sqrt(value + _SIGNIFICANT * self.limits[place]))
        low, high = _chi_square(value, 2 * (value / error) ** 2)
        return Estimate(math.sqrt(value), math.sqrt(low), math.sqrt(high))


def _fit(taus_s: Values, variances: Values, duration_s: float, rate_hz: float) -> _Fit:
    terms = _terms(taus_s)
    covariance_of = _covariances(taus_s, duration_s, rate_hz)
    # A first guess that is right at both ends.
    parameters = np.array([variances[0] * taus_s[0], 0.0, 3 * variances[-1] / taus_s[-1]])
    for _ in range(_ROUNDS):
        inverse = np.linalg.inv(covariance_of(parameters))
        errors = np.sqrt(np.diag(np.linalg.inv(terms.T @ inverse @ terms)))
        used = [0, 1, 2]
        while True:
            design = terms[:, used]
            covariance = np.linalg.inv(design.T @ inverse @ design)
            solution = covariance @ (design.T @ (inverse @ variances))
            if (solution >= 0).all():
                break
            used.pop(int(np.argmin(solution / np.sqrt(np.diag(covariance)))))
        parameters = np.zeros(3)
        parameters[used] = solution
        errors[used] = np.sqrt(np.diag(covariance))
    limits = errors.copy()
    for place in np.flatnonzero(parameters < _SIGNIFICANT * errors):
        limits[place] = _limit(int(place), terms, parameters, errors[place], covariance_of)
    return _Fit(parameters, errors, limits)


def _limit(
    place: int,
    terms: Values,
    parameters: Values,
    error: float,
    covariance_of: Callable[[Values], Values],
) -> float:
    """Standard error of a parameter that was not seen, if it were as large as it may be.

    Its own noise adds to the error, which the estimate 0 knows nothing of.
    """
    for _ in range(_ROUNDS):
        there = parameters.copy()
        there[place] += _SIGNIFICANT * error
        inverse = np.linalg.inv(covariance_of(there))
        error = float(np.sqrt(np.linalg.inv(terms.T @ inverse @ terms)[place, place]))
    return error


def _terms(taus_s: Values) -> Values:
    """What N², C and K² add to σ² at each span: (taus, 3)."""
    return np.stack([1 / taus_s, np.ones_like(taus_s), taus_s / 3], axis=1)


def _covariances(taus_s: Values, duration_s: float, rate_hz: float) -> Callable[[Values], Values]:
    """Covariance of the estimates of σ² at the spans, for parameters that are taken to be true."""
    frequencies = np.geomspace(0.01 / taus_s[-1], rate_hz / 2, _FREQUENCIES)
    phases = np.pi * taus_s[:, np.newaxis] * frequencies
    filters = 4 * np.sin(phases) ** 4 / phases**2
    steps = np.gradient(frequencies)
    # Means over τ exist for T - τ of the time only.
    lengths = duration_s - np.maximum(taus_s[:, np.newaxis], taus_s)

    def covariance(parameters: Values) -> Values:
        white, floor, walk = parameters
        density = white + floor / (4 * math.log(2) * frequencies)
        density += walk / (2 * np.pi * frequencies) ** 2
        of: Values = (filters * (density**2 * steps)) @ filters.T / lengths
        return of

    return covariance


def _instability(least: float, tau_s: float, duration_s: float) -> Estimate:
    """From the least deviation; degrees of freedom as of flicker noise (NIST SP 1065, table 5)."""
    spans = duration_s / tau_s
    low, high = _chi_square(least**2, max(1.0, 5 * spans**2 / (4 * (spans + 3))))
    return Estimate(*(math.sqrt(v) / FLICKER_FACTOR for v in (least**2, low, high)))


def _chi_square(variance: float, freedom: float) -> tuple[float, float]:
    """Interval of a variance that was estimated with some degrees of freedom."""
    tail = (1 - CONFIDENCE) / 2
    high, low = chi2.ppf([tail, 1 - tail], freedom)
    return variance * freedom / float(low), variance * freedom / float(high)


def _at(taus_s: Values, deviations: Values, tau_s: float) -> float:
    if not taus_s[0] <= tau_s <= taus_s[-1]:
        return math.nan
    return float(np.exp(np.interp(np.log(tau_s), np.log(taus_s), np.log(deviations))))
