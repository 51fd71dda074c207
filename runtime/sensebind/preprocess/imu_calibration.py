# SPDX-License-Identifier: Apache-2.0
"""What turns an IMU's raw readings into calibrated ones in body axes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

_ROTATION_TOLERANCE = 1e-3
_SIZES = {
    "accel_matrix": 9,
    "accel_bias": 3,
    "gyro_matrix": 9,
    "gyro_bias": 3,
    "rotation": 9,
}


@dataclass(frozen=True, slots=True)
class ImuCalibration:
    """Calibrated reading = rotation · matrix · (raw - bias), for each of the two sensors.

    Matrices are row-major 3x3 as nine numbers, biases three numbers in m/s² and rad/s.

    Attributes:
        accel_matrix: scale and misalignment of the accelerometer.
        accel_bias: its reading at zero acceleration.
        gyro_matrix: scale and misalignment of the gyroscope.
        gyro_bias: its reading at rest.
        rotation: from the sensor's axes to body axes (FLU); must be a rotation.
        affine: matrices (2, 3, 3) and offsets (2, 3), float64 and read-only, of
            calibrated = matrix · raw + offset; follows from the others.

    Raises:
        ConfigError: naming the field, its value and what was expected.
    """

    accel_matrix: tuple[float, ...] = IDENTITY
    accel_bias: tuple[float, ...] = (0.0, 0.0, 0.0)
    gyro_matrix: tuple[float, ...] = IDENTITY
    gyro_bias: tuple[float, ...] = (0.0, 0.0, 0.0)
    rotation: tuple[float, ...] = IDENTITY
    affine: tuple[NDArray[np.float64], NDArray[np.float64]] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Check sizes, finiteness and that `rotation` is one."""
        for name, size in _SIZES.items():
            value = getattr(self, name)
            if len(value) != size or not all(map(math.isfinite, value)):
                raise ConfigError(
                    f"IMU calibration: {name} is {value}, expected {size} finite numbers"
                    + (" (row-major 3x3)" if size == 9 else "")
                )
        rotation = np.reshape(self.rotation, (3, 3))
        error = np.abs(rotation @ rotation.T - np.eye(3)).max()
        if error > _ROTATION_TOLERANCE or np.linalg.det(rotation) < 0:
            raise ConfigError(
                f"IMU calibration: rotation {self.rotation} is not a rotation matrix; its rows "
                "must be orthogonal unit vectors of a right-handed frame "
                f"(within {_ROTATION_TOLERANCE})"
            )
        object.__setattr__(self, "affine", self._affine())

    def _affine(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        matrices = np.reshape((self.accel_matrix, self.gyro_matrix), (2, 3, 3))
        biases = np.asarray((self.accel_bias, self.gyro_bias), dtype=np.float64)
        matrices = np.reshape(self.rotation, (3, 3)) @ matrices.astype(np.float64)
        offsets = -np.einsum("sij,sj->si", matrices, biases)
        matrices.flags.writeable = offsets.flags.writeable = False
        return matrices, offsets
