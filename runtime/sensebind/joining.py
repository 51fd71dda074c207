# SPDX-License-Identifier: Apache-2.0
"""Accelerations at the stamps of a gyroscope: the one rule for joining the halves of an IMU.

There is one joint sample per gyroscope reading, at its stamp: gyroscopes are the faster of the two
in cameras and phones. The acceleration there is the accelerometer's reading with the same stamp,
else the line between the readings on either side. Nothing is extrapolated, and a pause of the
accelerometer stays a pause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Accelerations(NamedTuple):
    """What the accelerometer tells at some stamps.

    Attributes:
        enclosed: bool (n,), readings lie on both sides of the stamp, or one at it.
        near: bool (n,), these are also close enough together.
        values: float64 (k, 3), at the `near` stamps.
    """

    enclosed: NDArray[np.bool_]
    near: NDArray[np.bool_]
    values: NDArray[np.float64]


def accelerations_at(
    stamps_ns: NDArray[np.int64],
    accel_stamps_ns: NDArray[np.int64],
    accel: NDArray[np.float64],
    max_interval_ns: int,
) -> Accelerations:
    """Interpolate as this module's docstring defines.

    Args:
        stamps_ns: int64 (n,), where.
        accel_stamps_ns: int64 (a,), strictly rising.
        accel: float64 (a, 3).
        max_interval_ns: longest spacing of two readings that is interpolated.
    """
    left = np.searchsorted(accel_stamps_ns, stamps_ns, side="right") - 1
    right = np.searchsorted(accel_stamps_ns, stamps_ns)
    enclosed = (left >= 0) & (right < len(accel))
    near = enclosed.copy()
    near[enclosed] = (
        accel_stamps_ns[right[enclosed]] - accel_stamps_ns[left[enclosed]] <= max_interval_ns
    )
    left, right = left[near], right[near]
    # A reading at the very stamp is left and right; its interval has no length.
    interval_ns = np.maximum(accel_stamps_ns[right] - accel_stamps_ns[left], 1)
    share = (stamps_ns[near] - accel_stamps_ns[left]) / interval_ns
    return Accelerations(
        enclosed, near, accel[left] + share[:, np.newaxis] * (accel[right] - accel[left])
    )
