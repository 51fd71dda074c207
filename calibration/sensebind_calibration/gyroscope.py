# SPDX-License-Identifier: Apache-2.0
"""Bias, scale and misalignment of a gyroscope from the turns between rests.

Between two rests the gyroscope tells how the sensor turned, and so where gravity has to be
afterwards; the accelerometer, calibrated before, tells where it is (Tedaldi, Pretto, Menegatti,
ICRA 2014). The matrix turns the gyroscope's axes into the accelerometer's, so it has nine elements.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations, product
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import t

from sensebind.errors import InputError
from sensebind_calibration._turning_kernels import turn_directions
from sensebind_calibration.accelerometer import Affine, uncertainty

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sensebind_calibration.rests import Rests

    Values = NDArray[np.float64]

_FEWEST_TURNS = 8
_TURNED_COSINE = float(np.cos(np.radians(15)))
_WIDEST = 0.1
_GOOD_RAD = 0.2
"""Scale errors of a few per cent over half a turn; anything above is another unit or axis."""
_UNITS = {"rad/s": 1.0, "deg/s": np.pi / 180, "mdeg/s": np.pi / 180_000}


@dataclass(frozen=True, slots=True)
class Turns:
    """What a gyroscope read between rests.

    Attributes:
        places: int64 (turns,), the rest before each.
        rates: float64 (n, 3), less the bias that the rests around tell.
        steps_s: float64 (n,), time to the next row.
        bounds: int64 (turns + 1,), rows of each turn.
        before, after: float64 (turns, 3), directions of gravity by the accelerometer.
    """

    places: NDArray[np.int64]
    rates: Values
    steps_s: Values
    bounds: NDArray[np.int64]
    before: Values
    after: Values

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.before)

    def errors(self, matrix: Values) -> Values:
        """Where the gyroscope puts gravity, less where it is: (turns, 3)."""
        there = self.before.copy()
        turn_directions(
            self.rates, self.steps_s, self.bounds, np.ascontiguousarray(matrix, np.float64), there
        )
        off: Values = there - self.after
        return off

    def residual(self, matrix: Values) -> float:
        """Root mean square error of a direction in rad."""
        return float(np.sqrt(np.mean(np.sum(self.errors(matrix) ** 2, axis=1))))


def turns_between(
    stamps_ns: NDArray[np.int64], values: Values, rests: Rests, accelerometer: Affine
) -> Turns:
    """The turns between successive rests whose gravity differs by 15 degrees and more."""
    directions = _directions(rests, accelerometer.matrix, accelerometer.bias)
    rates, steps, lengths, chosen = [], [], [0], []
    for place in range(rests.count - 1):
        if directions[place] @ directions[place + 1] > _TURNED_COSINE:
            continue
        rows = slice(int(rests.bounds[place, 1]) - 1, int(rests.bounds[place + 1, 0]) + 1)
        bias = (rests.means[place, 3:] + rests.means[place + 1, 3:]) / 2
        rates.append(values[rows, 3:] - bias)
        steps.append(np.diff(stamps_ns[rows], append=stamps_ns[rows][-1]) / 1e9)
        lengths.append(len(rates[-1]))
        chosen.append(place)
    return Turns(
        np.array(chosen, np.int64),
        np.concatenate([np.empty((0, 3)), *rates]),
        np.concatenate([np.empty(0), *steps]),
        np.cumsum(lengths, dtype=np.int64),
        directions[chosen],
        directions[[place + 1 for place in chosen]],
    )


def check_axes(turns: Turns) -> None:
    """Refuse a gyroscope in another unit, or whose axes are not the accelerometer's.

    Raises:
        InputError: naming the unit or axes that fit.
    """
    if turns.count < 3:
        return
    as_declared = turns.residual(np.eye(3))
    if as_declared < _GOOD_RAD:
        return
    best, unit, axes = min(
        (turns.residual(factor * matrix), unit, axes)
        for unit, factor in _UNITS.items()
        for axes, matrix in _axes()
    )
    told = f"the gyroscope's turns miss gravity by {np.degrees(as_declared):.0f} degrees"
    if best > _GOOD_RAD:
        raise InputError(
            f"{told}, whatever its unit and axes; is it saturated, of another sensor, or are its "
            "stamps off? Turn more slowly and record again"
        )
    if unit != "rad/s":
        raise InputError(
            f"{told} in rad/s; they fit in {unit}: give --stream TOPIC=imu,unit={unit}"
        )
    raise InputError(
        f"{told}; they fit if its x, y, z are {axes} of the accelerometer's. Axes are swapped or "
        "mirrored in one of the two: correct the driver, and record again"
    )


def calibrate_gyroscope(rests: Rests, turns: Turns, accelerometer: Affine) -> Affine:
    """Bias from the rests, matrix from the turns; the identity if they are too few to tell it."""
    rates = rests.means[:, 3:]
    spread = rates.std(axis=0, ddof=1) if rests.count > 1 else rests.errors[0, 3:]
    bias_interval = spread / np.sqrt(rests.count) * t.ppf(0.975, max(1, rests.count - 1))
    plain = Affine(
        np.eye(3), np.zeros((3, 3)), rates.mean(axis=0), bias_interval, full=False, residual=np.nan
    )
    if turns.count < _FEWEST_TURNS:
        return plain
    solved = least_squares(
        lambda elements: turns.errors(np.eye(3) + elements.reshape(3, 3)).reshape(-1),
        np.zeros(9),
        x_scale=0.01,
    )
    # Of three numbers per direction one follows from its length.
    covariance, quantile = uncertainty(solved.jac, solved.fun, known_scale=False, used=turns.count)
    # The accelerometer's errors move both ends of all turns at once: no residual shows them.
    follow = np.linalg.pinv(solved.jac)
    for mode in accelerometer.modes:
        directions = _directions(rests, *mode)
        moved = replace(
            turns, before=directions[turns.places], after=directions[turns.places + 1]
        ).errors(np.eye(3) + solved.x.reshape(3, 3))
        change = follow @ (moved.reshape(-1) - solved.fun)
        covariance += np.outer(change, change)
    half = quantile * np.sqrt(np.diag(covariance))
    if half.max() > _WIDEST:
        return plain
    matrix = np.eye(3) + solved.x.reshape(3, 3)
    return Affine(
        matrix, half.reshape(3, 3), plain.bias, bias_interval, True, turns.residual(matrix)
    )


def _directions(rests: Rests, matrix: Values, bias: Values) -> Values:
    """Gravity at the rests: unit vectors (rests, 3) by an accelerometer of this calibration."""
    calibrated = (rests.means[:, :3] - bias) @ matrix.T
    directions: Values = calibrated / np.linalg.norm(calibrated, axis=1, keepdims=True)
    return directions


def _axes() -> Iterator[tuple[str, Values]]:
    """All 48 ways to name and point three axes."""
    for order in permutations(range(3)):
        for signs in product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            names = []
            for axis, (place, sign) in enumerate(zip(order, signs, strict=True)):
                matrix[place, axis] = sign
                names.append(f"{'-' if sign < 0 else '+'}{'xyz'[place]}")
            yield ", ".join(names), matrix
