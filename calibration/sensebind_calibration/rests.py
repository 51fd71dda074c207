# SPDX-License-Identifier: Apache-2.0
"""Where in a recording an IMU lay still, by its own noise.

The recording is cut into windows of half a second. The calmest fifth of them tells the noise; a
window is at rest if both sensors scatter less than three times as much and it does not turn. A rest
is a run of such windows of at least 1.5 s, less half a window at both ends, where hands still are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

_WINDOW_S = 0.5
_SHORTEST_WINDOWS = 3
_CALM_SHARE = 0.2
_FACTOR = 3.0
_LEAST_SPREAD = (1e-3, 1e-4)  # m/s², rad/s: below, steps of the output are all there is
_LARGEST_SPREAD_G = 0.05  # a sensor that rests scatters less than this share of g
_TURNING_RAD_S = 0.05
_MOST_DRIFT = 0.005  # share of g between the halves of a rest
_BATCHES = 8
_APART_COSINE = float(np.cos(np.radians(30)))


@dataclass(frozen=True, slots=True)
class Rests:
    """Spans at rest, in order.

    Attributes:
        bounds: int64 (rests, 2), first row and row after the last.
        means: float64 (rests, 6), mean readings.
        errors: float64 (rests, 6), standard errors of the means, from the means of eight parts.
    """

    bounds: NDArray[np.int64]
    means: Values
    errors: Values

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.bounds)

    def orientations(self) -> int:
        """How many directions of gravity differ by 30 degrees and more."""
        apart: list[Values] = []
        for mean in self.means[:, :3]:
            direction = mean / np.linalg.norm(mean)
            if all(direction @ other < _APART_COSINE for other in apart):
                apart.append(direction)
        return len(apart)


def find_rests(values: Values, rate_hz: float) -> Rests:
    """The rests of readings float64 (n, 6).

    Raises:
        InputError: if the sensor never rests.
    """
    length = max(_BATCHES, round(_WINDOW_S * rate_hz))
    windows = values[: len(values) // length * length].reshape(-1, length, 6)
    if len(windows) < _SHORTEST_WINDOWS:
        raise InputError(
            f"the recording is {len(values) / rate_hz:.1f} s long, expected rests of 2 s and more "
            "in six orientations and more: about a minute"
        )
    still = _still(windows)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], still.astype(np.int8), [0]])))
    runs = edges.reshape(-1, 2)
    runs = runs[runs[:, 1] - runs[:, 0] >= _SHORTEST_WINDOWS]
    bounds = runs * length + (length // 2, -(length // 2))
    kept = [_summary(values[begin:end]) for begin, end in bounds]
    steady = np.array([summary is not None for summary in kept], bool)
    found = [summary for summary in kept if summary is not None]
    if not found:
        raise InputError(
            "the sensor never lay still for 1.5 s; put it down in each orientation and let go of "
            "it for some seconds"
        )
    means, errors = (np.array(part) for part in zip(*found, strict=True))
    return Rests(bounds[steady].astype(np.int64), means, errors)


def _still(windows: Values) -> NDArray[np.bool_]:
    deviations = windows.std(axis=1)
    still = np.ones(len(windows), bool)
    for part, least in zip((slice(0, 3), slice(3, 6)), _LEAST_SPREAD, strict=True):
        spread = np.linalg.norm(deviations[:, part], axis=1)
        calm = np.sort(spread)[: max(1, round(_CALM_SHARE * len(spread)))]
        still &= spread <= _FACTOR * max(float(np.median(calm)), least)
    means = windows.mean(axis=1)
    size = np.median(np.linalg.norm(means[:, :3], axis=1))
    still &= np.linalg.norm(deviations[:, :3], axis=1) < _LARGEST_SPREAD_G * size
    if still.any():
        usual = np.median(means[still, 3:], axis=0)
        noise = 5 * np.median(np.linalg.norm(deviations[still, 3:], axis=1))
        turning = np.linalg.norm(means[:, 3:] - usual, axis=1)
        still &= turning < max(_TURNING_RAD_S, float(noise))
    return still


def _summary(values: Values) -> tuple[Values, Values] | None:
    """Mean and standard error of a rest; None if it drifts away meanwhile."""
    part = len(values) // _BATCHES
    parts = values[: part * _BATCHES].reshape(_BATCHES, part, 6).mean(axis=1)
    halves = parts[: _BATCHES // 2].mean(axis=0), parts[_BATCHES // 2 :].mean(axis=0)
    mean = values.mean(axis=0)
    if np.linalg.norm((halves[1] - halves[0])[:3]) > _MOST_DRIFT * np.linalg.norm(mean[:3]):
        return None
    return mean, parts.std(axis=0, ddof=1) / np.sqrt(_BATCHES)
