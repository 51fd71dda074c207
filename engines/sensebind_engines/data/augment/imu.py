# SPDX-License-Identifier: Apache-2.0
"""IMU windows as another mount or another sensor would have given them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.types import Window
    from sensebind_engines.data.augment.config import ImuAugment

_MIRRORED = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
"""Left and right exchanged: acceleration is a vector, angular rate an axial one."""


def augment_imu(
    window: Window,
    amount: ImuAugment,
    rng: np.random.Generator,
    rotation: tuple[float, ...] | None = None,
) -> Window:
    """A changed copy of an IMU window, samples (n, 6) in m/s² and rad/s.

    Args:
        window: what is changed.
        amount: how far.
        rng: draws everything.
        rotation: row-major from the samples' axes to body axes (FLU); none if they are body axes.
    """
    to_body = np.eye(3) if rotation is None else np.array(rotation).reshape(3, 3)
    values = _turned(window.values, to_body)
    if rng.random() < amount.mirror:
        values *= _MIRRORED
    if amount.tilt_rad or amount.turn_rad:
        values = _turned(values, draw_rotation(amount, rng))
    values *= 1.0 + amount.scale * rng.standard_normal(6)
    values += _per_sensor(amount.accel_bias_m_s2, amount.gyro_bias_rad_s) * rng.standard_normal(6)
    noise = _per_sensor(amount.accel_noise_m_s2, amount.gyro_noise_rad_s)
    if noise.any():
        values += noise * rng.standard_normal(values.shape)
    stamps_ns = window.stamps_ns
    if amount.time_warp:
        stamps_ns = _warped(window, amount.time_warp, rng)
    # Part of a segment no longer: its points must not be taken from, or given to, its neighbours.
    return replace(window, values=_turned(values, to_body.T), stamps_ns=stamps_ns, segment=-1)


def draw_rotation(amount: ImuAugment, rng: np.random.Generator) -> NDArray[np.float64]:
    """A matrix of SO(3), (3, 3): a tilt about a horizontal axis after a turn about the vertical."""
    about_z = amount.turn_rad * rng.standard_normal()
    if amount.turn_rad >= math.pi:
        about_z = rng.uniform(-math.pi, math.pi)
    tilt = amount.tilt_rad * rng.standard_normal(2)
    return rotation_matrix(np.array([*tilt, 0.0])) @ rotation_matrix(np.array([0, 0, about_z]))


def rotation_matrix(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation by |vector| radians about it, (3, 3) (Rodrigues' formula)."""
    angle = float(np.linalg.norm(vector))
    if angle == 0:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    matrix: NDArray[np.float64] = (
        np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    )
    return matrix


def _turned(
    values: NDArray[np.float64] | NDArray[np.float32], matrix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Both triads of samples (n, 6) by one matrix."""
    turned: NDArray[np.float64] = values.astype(np.float64).reshape(-1, 2, 3) @ matrix.T
    return turned.reshape(-1, 6)


def _warped(window: Window, most: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Stamps inside the span moved along t + a·sin(πt)/π, which keeps order and both ends."""
    strength = rng.uniform(-most, most)
    length_ns = window.end_ns - window.start_ns
    share = (window.stamps_ns - window.start_ns) / length_ns
    inside = (share > 0) & (share < 1)
    move_ns = np.where(inside, strength * np.sin(np.pi * share) / np.pi * length_ns, 0)
    stamps_ns: NDArray[np.int64] = window.stamps_ns + move_ns.round().astype(np.int64)
    return stamps_ns


def _per_sensor(accel: float, gyro: float) -> NDArray[np.float64]:
    return np.repeat([accel, gyro], 3)
