# SPDX-License-Identifier: Apache-2.0
"""What a simulation run leaves behind: clean truth at 2 kHz, poses, intervals, impacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class Interval(NamedTuple):
    """A labelled span [start_s, end_s) of the run; label '' belongs to no class."""

    start_s: float
    end_s: float
    label: str


class Impact(NamedTuple):
    """The chassis hit something: when, and with what normal force when it was noticed."""

    time_s: float
    force_n: float


@dataclass(frozen=True)
class SimLog:
    """Truth of a run; every (n, ...) array has one row per physics step (2 kHz), float64.

    Row i is the state at i / PHYSICS_HZ seconds.

    Attributes:
        motion: (n, 6) ideal IMU: specific force m/s^2 (x y z), angular rate rad/s (x y z), FLU.
        contact_n: (n, 4) normal force on chassis, left wheel, right wheel, caster, newtons.
        wheel_rad_s: (n, 2) left and right wheel speed.
        position_m: (n, 3) chassis centre, world frame.
        velocity_m_s: (n, 3) its velocity, world frame.
        up: (n, 3) the body's z axis in the world frame.
        intervals: labelled spans in order.
        impacts: chassis impacts noticed by the behaviours.
        pose_times_s: (m,) times of the logged poses.
        poses: (m, nq) full `qpos` at those times, to render from.
    """

    motion: FloatArray
    contact_n: FloatArray
    wheel_rad_s: FloatArray
    position_m: FloatArray
    velocity_m_s: FloatArray
    up: FloatArray
    intervals: tuple[Interval, ...]
    impacts: tuple[Impact, ...]
    pose_times_s: FloatArray
    poses: FloatArray

    @classmethod
    def from_readings(
        cls,
        readings: NDArray[np.float32],
        *,
        intervals: tuple[Interval, ...],
        impacts: tuple[Impact, ...],
        pose_times_s: FloatArray,
        poses: FloatArray,
    ) -> SimLog:
        """Name the columns of the (n, 21) sensor readings (order of `mjcf._SENSORS`)."""
        readings64 = readings.astype(np.float64)
        motion, contact, wheel, position, velocity, up = np.split(
            readings64, [6, 10, 12, 15, 18], axis=1
        )
        return cls(
            motion,
            contact,
            wheel,
            position,
            velocity,
            up,
            intervals=intervals,
            impacts=impacts,
            pose_times_s=pose_times_s,
            poses=poses,
        )

    @property
    def duration_s(self) -> float:
        """Length of the run in seconds."""
        return self.intervals[-1].end_s

    @property
    def airborne(self) -> NDArray[np.bool_]:
        """(n,) true where nothing of the robot touches anything."""
        return np.asarray(self.contact_n.sum(axis=1) == 0.0)
