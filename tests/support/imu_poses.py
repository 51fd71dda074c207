# SPDX-License-Identifier: Apache-2.0
"""A simulated IMU that is put down in many orientations, with known errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

GRAVITY = 9.80665


@dataclass(frozen=True)
class Truth:
    """calibrated = matrix (raw - bias), of both sensors."""

    accel_matrix: Values
    accel_bias: Values
    gyro_matrix: Values
    gyro_bias: Values


def draw_truth(rng: np.random.Generator, *, misaligned: bool = True) -> Truth:
    """Errors of consumer parts: 0.6 % scale, 0.7 degrees, 0.15 m/s² and 0.6 degrees/s."""
    off = np.triu(rng.normal(0, 0.012, (3, 3)), 1) * misaligned
    return Truth(
        np.diag(1 + rng.normal(0, 0.006, 3)) + off,
        rng.normal(0, 0.15, 3),
        np.eye(3) + rng.normal(0, 0.008, (3, 3)),
        rng.normal(0, 0.01, 3),
    )


def record(
    rng: np.random.Generator,
    truth: Truth,
    orientations: int = 24,
    *,
    rate_hz: float = 100.0,
    rest_s: float = 3.0,
    turn_s: float = 1.5,
    noise: tuple[float, float] = (2e-3, 1.5e-4),
    faces_only: bool = False,
) -> Values:
    """Raw readings (n, 6): rests, and smooth turns between them, about axes of all directions."""
    turn = np.eye(3)
    accel, gyro = [], []
    for place in range(orientations):
        count = round(rest_s * rate_hz)
        accel.append(np.tile(turn.T @ (0, 0, GRAVITY), (count, 1)))
        gyro.append(np.zeros((count, 3)))
        axis, angle = _next_turn(rng, place, faces_only=faces_only)
        steps = round(turn_s * rate_hz)
        # sin² speed: begins and ends at rest
        speed = np.sin(np.pi * np.arange(steps) / steps) ** 2
        speed *= angle / (speed.sum() / rate_hz)
        for rate in speed:
            accel.append((turn.T @ (0, 0, GRAVITY))[np.newaxis])
            gyro.append((axis * rate)[np.newaxis])
            turn = turn @ _rotation(axis * rate / rate_hz)
    true = np.concatenate(accel), np.concatenate(gyro)

    raw_a = true[0] @ np.linalg.inv(truth.accel_matrix).T + truth.accel_bias
    raw_g = true[1] @ np.linalg.inv(truth.gyro_matrix).T + truth.gyro_bias
    raw = np.concatenate([raw_a, raw_g], axis=1)
    raw[:, :3] += rng.normal(0, noise[0] * np.sqrt(rate_hz), raw_a.shape)
    raw[:, 3:] += rng.normal(0, noise[1] * np.sqrt(rate_hz), raw_g.shape)
    return np.asarray(raw)


def _next_turn(rng: np.random.Generator, place: int, *, faces_only: bool) -> tuple[Values, float]:
    if faces_only:  # four times about x, four times about y: all six faces
        return np.eye(3)[place // 4 % 2], np.pi / 2
    axis = rng.normal(size=3)
    return axis / np.linalg.norm(axis), float(rng.uniform(0.7, 2.4))


def _rotation(vector: Values) -> Values:
    angle = float(np.linalg.norm(vector))
    if angle == 0:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)
