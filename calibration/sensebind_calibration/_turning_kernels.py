# SPDX-License-Identifier: Apache-2.0
"""Kernels that turn directions as a gyroscope says. No validation; see `gyroscope.py`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sensebind.preprocess._compile import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@kernel
def turn_directions(
    rates: NDArray[np.float64],
    steps_s: NDArray[np.float64],
    bounds: NDArray[np.int64],
    matrix: NDArray[np.float64],
    directions: NDArray[np.float64],
) -> None:
    """Turn fixed directions, seen by a sensor, through several motions of it; in place.

    Args:
        rates: float64 (n, 3) rad/s, biases taken off.
        steps_s: float64 (n,), time to the next reading.
        bounds: int64 (motions + 1,), rows of each motion; its last row only ends its last step.
        matrix: (3, 3), true rates = matrix · rates.
        directions: (motions, 3), unit vectors before each motion; after it on return.
    """
    for motion in range(bounds.size - 1):
        x, y, z = directions[motion, 0], directions[motion, 1], directions[motion, 2]
        for row in range(bounds[motion], bounds[motion + 1] - 1):
            half = 0.5 * steps_s[row]
            a = half * (rates[row, 0] + rates[row + 1, 0])
            b = half * (rates[row, 1] + rates[row + 1, 1])
            c = half * (rates[row, 2] + rates[row + 1, 2])
            # What stands still turns backwards for one who turns.
            p = -(matrix[0, 0] * a + matrix[0, 1] * b + matrix[0, 2] * c)
            q = -(matrix[1, 0] * a + matrix[1, 1] * b + matrix[1, 2] * c)
            r = -(matrix[2, 0] * a + matrix[2, 1] * b + matrix[2, 2] * c)
            angle = math.sqrt(p * p + q * q + r * r)
            if angle > 0.0:
                sine = math.sin(angle) / angle
                versine = (1.0 - math.cos(angle)) / (angle * angle)
                u = q * z - r * y
                v = r * x - p * z
                w = p * y - q * x
                x += sine * u + versine * (q * w - r * v)
                y += sine * v + versine * (r * u - p * w)
                z += sine * w + versine * (p * v - q * u)
        directions[motion, 0], directions[motion, 1], directions[motion, 2] = x, y, z
