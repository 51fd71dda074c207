# SPDX-License-Identifier: Apache-2.0
"""An accelerometer and a gyroscope with stamps of their own to joint samples.

Definition. There is one sample per gyroscope reading, at its stamp: gyroscopes are the faster of
the two in cameras and phones. The acceleration there is the accelerometer's reading with the same
stamp, else the line between the readings on either side. A gyroscope reading is left out where
the accelerometer has not begun, has ended, or pauses for more than `max_interval_s` around it:
nothing is extrapolated, and the pause stays a pause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError
from sensebind.grid import nanoseconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Stamps = NDArray[np.int64]
    Readings = NDArray[np.float64]


def join_imu(
    accel_stamps_ns: Stamps,
    accel: Readings,
    gyro_stamps_ns: Stamps,
    gyro: Readings,
    *,
    max_interval_s: float = 0.05,
) -> tuple[Stamps, Readings]:
    """Join two sensors' readings as this module's docstring defines.

    Args:
        accel_stamps_ns: int64 (a,), strictly rising.
        accel: float64 (a, 3) in m/s².
        gyro_stamps_ns: int64 (g,), strictly rising, of the same clock.
        gyro: float64 (g, 3) in rad/s, about the same axes.
        max_interval_s: longest accelerometer interval that is interpolated.

    Returns:
        stamps int64 (k,), k at most g, and values float64 (k, 6): ax ay az gx gy gz.

    Raises:
        InputError: for a wrong dtype or shape, stamps that do not rise, or values that are not
            finite.
    """
    _check("accelerometer", accel_stamps_ns, accel)
    _check("gyroscope", gyro_stamps_ns, gyro)
    left = np.searchsorted(accel_stamps_ns, gyro_stamps_ns, side="right") - 1
    right = np.searchsorted(accel_stamps_ns, gyro_stamps_ns)
    kept = np.flatnonzero((left >= 0) & (right < len(accel)))
    interval_ns = accel_stamps_ns[right[kept]] - accel_stamps_ns[left[kept]]
    kept = kept[interval_ns <= nanoseconds(max_interval_s)]
    left, right, stamps = left[kept], right[kept], gyro_stamps_ns[kept]
    # A reading at the very stamp is left and right; its interval has no length.
    interval_ns = np.maximum(accel_stamps_ns[right] - accel_stamps_ns[left], 1)
    share = (stamps - accel_stamps_ns[left]) / interval_ns
    values = np.empty((len(kept), 6))
    values[:, :3] = accel[left] + share[:, np.newaxis] * (accel[right] - accel[left])
    values[:, 3:] = gyro[kept]
    return stamps, values


def _check(sensor: str, stamps_ns: Stamps, readings: Readings) -> None:
    if stamps_ns.dtype != np.int64 or stamps_ns.ndim != 1:
        raise InputError(
            f"{sensor} stamps are {stamps_ns.dtype} {stamps_ns.shape}, expected int64 (n,)"
        )
    if readings.dtype != np.float64 or readings.shape != (stamps_ns.size, 3):
        raise InputError(
            f"{sensor} values are {readings.dtype} {readings.shape}, expected float64 "
            f"({stamps_ns.size}, 3), one row per stamp"
        )
    falling = np.flatnonzero(stamps_ns[1:] <= stamps_ns[:-1])
    if falling.size:
        row = int(falling[0]) + 1
        raise InputError(
            f"{sensor} stamps must rise: row {row} has {stamps_ns[row]} ns after "
            f"{stamps_ns[row - 1]} ns; sort the readings and drop duplicates"
        )
    bad = np.argwhere(~np.isfinite(readings))
    if bad.size:
        row, axis = bad[0]
        raise InputError(
            f"{sensor} value {'xyz'[axis]} of row {row} is {readings[row, axis]}, expected a "
            "finite number; drop such readings"
        )
