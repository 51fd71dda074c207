# SPDX-License-Identifier: Apache-2.0
"""Augmentation of IMU features: other mounts, other sensors, other input rates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ImuAugmentation:
    """How far training features are changed; standard deviations unless said otherwise.

    Attributes:
        mount_rad: rotation of the mount about each axis.
        scale: relative scale of each channel.
        accel_bias_m_s2, gyro_bias_rad_s: constant offset of each channel.
        accel_noise_m_s2, gyro_noise_rad_s: largest white noise; the level of a window is uniform
            in the square root. 800 ug and 0.06 degrees/s per sqrt(Hz) over 100 Hz, what the
            poorest MEMS parts have; more drowns the vibration that tells driving from standing.
        mirror: share of windows mirrored left to right.
    """

    mount_rad: float = math.radians(4.0)
    scale: float = 0.01
    accel_bias_m_s2: float = 0.15
    gyro_bias_rad_s: float = 0.01
    accel_noise_m_s2: float = 0.08
    gyro_noise_rad_s: float = 0.01
    mirror: float = 0.5


def augment(features: Tensor, generator: torch.Generator, amount: ImuAugmentation) -> Tensor:
    """A changed copy of features (n, 6, T), m/s^2 and rad/s, FLU; one draw per window."""
    n = features.shape[0]
    mirrored = torch.rand(n, 1, 1, generator=generator) < amount.mirror
    features = torch.where(mirrored, mirror_left_right(features), features)
    turns = rotation_matrices(torch.randn(n, 3, generator=generator) * amount.mount_rad)
    triads = features.reshape(n, 2, 3, -1)
    features = torch.einsum("nij,nsjt->nsit", turns, triads).reshape(features.shape)
    scale = 1.0 + amount.scale * torch.randn(n, 6, 1, generator=generator)
    bias = _per_sensor(amount.accel_bias_m_s2, amount.gyro_bias_rad_s)
    bias = bias * torch.randn(n, 6, 1, generator=generator)
    level = torch.rand(n, 1, 1, generator=generator).square()
    noise = level * _per_sensor(amount.accel_noise_m_s2, amount.gyro_noise_rad_s)
    return features * scale + bias + noise * torch.randn(features.shape, generator=generator)


def mirror_left_right(features: Tensor) -> Tensor:
    """The same motion of a mirrored robot: acceleration is a vector, angular rate an axial one."""
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    return features * signs[:, None]


def rotation_matrices(turns: Tensor) -> Tensor:
    """Matrices (n, 3, 3) of rotation vectors (n, 3), by the exponential map."""
    x, y, z = turns.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    return torch.linalg.matrix_exp(cross)


def _per_sensor(accel: float, gyro: float) -> Tensor:
    return torch.tensor([accel] * 3 + [gyro] * 3)[:, None]
