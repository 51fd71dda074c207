# SPDX-License-Identifier: Apache-2.0
"""An accelerometer and a gyroscope with stamps of their own to joint samples, as arrays.

`sensebind.joining` has the definition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError
from sensebind.grid import nanoseconds
from sensebind.joining import accelerations_at
from sensebind.preprocess.imu_rows import check_rows

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
    """Join two sensors' readings; a gyroscope reading without accelerations around it is left out.

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
    found = accelerations_at(gyro_stamps_ns, accel_stamps_ns, accel, nanoseconds(max_interval_s))
    return gyro_stamps_ns[found.near], np.hstack([found.values, gyro[found.near]])


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
    check_rows(sensor, stamps_ns, readings, "xyz")
