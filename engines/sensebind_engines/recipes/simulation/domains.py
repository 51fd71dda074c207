# SPDX-License-Identifier: Apache-2.0
"""What episodes of each split are drawn from: robots, floors, IMUs, motions.

The ranges of `DEV` and `SHIFT` lie outside those of `TRAINING`, and no two of the three share a
kind of floor; "test" draws new episodes from `TRAINING`. Choices are made on dev, which is outside
in other directions than shift: smaller robots instead of larger ones, other floors, other IMUs.
All of it was fixed before the first training run.

A recording that is to be a fair test of an encoder takes its robot, floors and IMU from `SHIFT`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sensebind_engines.recipes.simulation.floors import (
    DEV_FLOORS,
    HELD_OUT_FLOORS,
    TRAINING_FLOORS,
)
from sensebind_engines.recipes.simulation.mjcf import RobotSpec
from sensebind_engines.recipes.simulation.sensors import ImuRanges

if TYPE_CHECKING:
    import numpy as np

Span = tuple[float, float]
SPLITS = ("train", "dev", "test", "shift")
_ROBOT = (
    "mass_kg",
    "half_length_m",
    "half_width_m",
    "half_height_m",
    "wheel_radius_m",
    "friction",
    "motor_gain",
    "suspension_n_m",
    "imbalance_kg",
)


@dataclass(frozen=True)
class Domain:
    """Spans to draw from, uniformly; the defaults are those of training.

    Attributes:
        floors: kinds of ground, each as likely.
        shaking_floors: of these, the ones that most shake a robot; drives meet them more often.
        mass_kg, half_length_m, half_width_m, half_height_m, wheel_radius_m, friction, motor_gain,
            suspension_n_m, imbalance_kg: of the robot (`RobotSpec`).
        placement: largest distance of the IMU from the middle, as a share of the chassis.
        slope_deg: of the ground.
        speed_m_s: of drives and collisions.
        spin_rad_s: of turning on the spot.
        tilt_rad: of a carried robot about each horizontal axis, up to.
        step_hz: of who carries it.
        idle_share: of the episodes in which fans or idling motors shake a robot at rest.
        pushable: obstacles give way; else they are walls.
        imu: of the sensor.
    """

    floors: tuple[str, ...] = TRAINING_FLOORS
    shaking_floors: tuple[str, ...] = ("earth", "cobble")
    mass_kg: Span = (4.0, 10.0)
    half_length_m: Span = (0.16, 0.24)
    half_width_m: Span = (0.11, 0.16)
    half_height_m: Span = (0.04, 0.08)
    wheel_radius_m: Span = (0.06, 0.09)
    friction: Span = (0.7, 1.1)
    motor_gain: Span = (2.0, 5.0)
    suspension_n_m: Span = (8e3, 3e4)
    imbalance_kg: Span = (0.0, 0.03)
    placement: float = 0.4
    slope_deg: Span = (0.0, 5.0)
    speed_m_s: Span = (0.2, 0.8)
    spin_rad_s: Span = (0.7, 3.5)
    tilt_rad: float = 0.6
    step_hz: Span = (1.5, 2.1)
    idle_share: float = 0.5
    pushable: bool = False
    imu: ImuRanges = field(
        default_factory=lambda: ImuRanges(
            rates_hz=(100, 200, 400), mount_deg=(0.0, 5.0), noise=(0.3, 2.0), idle_m_s2=(0.02, 0.2)
        )
    )


TRAINING = Domain()

DEV = replace(
    TRAINING,
    floors=DEV_FLOORS,
    shaking_floors=("bricks", "grass"),
    mass_kg=(3.0, 4.0),
    half_length_m=(0.13, 0.16),
    half_width_m=(0.09, 0.11),
    wheel_radius_m=(0.05, 0.06),
    friction=(1.1, 1.4),
    slope_deg=(5.0, 7.0),
    speed_m_s=(0.15, 0.6),
    tilt_rad=0.7,
    step_hz=(1.3, 1.5),
    imu=replace(TRAINING.imu, rates_hz=(250,), mount_deg=(5.0, 8.0), noise=(2.0, 2.5)),
)

SHIFT = replace(
    TRAINING,
    floors=HELD_OUT_FLOORS,
    shaking_floors=("washboard", "gravel", "sills"),
    mass_kg=(12.0, 18.0),
    half_length_m=(0.25, 0.30),
    half_width_m=(0.17, 0.20),
    wheel_radius_m=(0.10, 0.12),
    friction=(0.4, 0.6),
    suspension_n_m=(3e4, 5e4),
    imbalance_kg=(0.03, 0.05),
    slope_deg=(5.0, 8.0),
    speed_m_s=(0.5, 1.1),
    spin_rad_s=(0.5, 2.0),
    tilt_rad=0.8,
    step_hz=(2.0, 2.4),
    pushable=True,
    imu=replace(
        TRAINING.imu,
        rates_hz=(125, 500),
        mount_deg=(8.0, 15.0),
        noise=(2.5, 3.0),
        gear_ratio=(40.0, 60.0),
        idle_m_s2=(0.2, 0.3),
    ),
)

DOMAINS = {"train": TRAINING, "dev": DEV, "test": TRAINING, "shift": SHIFT}


def sample_robot(rng: np.random.Generator, domain: Domain = TRAINING) -> RobotSpec:
    """A robot of a domain; its IMU is somewhere on the chassis."""
    drawn = {name: float(rng.uniform(*getattr(domain, name))) for name in _ROBOT}
    x, y, z = rng.uniform(-1.0, 1.0, 3) * domain.placement
    return RobotSpec(
        **drawn,
        imu_m=(
            float(x * drawn["half_length_m"]),
            float(y * drawn["half_width_m"]),
            float(z * drawn["half_height_m"]),
        ),
    )


def sample_floor_kind(rng: np.random.Generator, domain: Domain, *, drives: bool) -> str:
    """A kind of floor; of two drives one is on a floor that shakes."""
    shaking = drives and rng.uniform() < 0.5
    return str(rng.choice(domain.shaking_floors if shaking else domain.floors))
