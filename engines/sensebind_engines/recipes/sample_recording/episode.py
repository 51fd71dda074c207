# SPDX-License-Identifier: Apache-2.0
"""What the robot does in the sample recording, and what its senses must show.

One continuous run: it looks at six things, drives over carpet and gravel, turns on the spot, runs
into a barrier, is carried, and falls. Stops and headings fit `scene.PLACES`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from sensebind_engines.recipes.sample_recording.ground import (
    gravel_bed,
    hall_floor,
    show_gravel,
)
from sensebind_engines.recipes.sample_recording.scene import build_scene
from sensebind_engines.recipes.simulation.behaviours import (
    Bump,
    Carry,
    Drive,
    Fall,
    Spin,
    Still,
    towards,
)
from sensebind_engines.recipes.simulation.labels import DRIVE
from sensebind_engines.recipes.simulation.mjcf import RobotSpec
from sensebind_engines.recipes.simulation.robot import Behaviour, Robot

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator, Mapping

    import numpy as np

SPEC = RobotSpec(
    mass_kg=13.6,
    half_length_m=0.27,
    half_width_m=0.18,
    half_height_m=0.066,
    wheel_radius_m=0.104,
    friction=0.58,
    motor_gain=3.2,
    suspension_n_m=38e3,
    imbalance_kg=0.035,
    imu_m=(0.03, -0.02, 0.02),
)
"""Chosen by hand within `domains.SHIFT`, whose robots no encoder was trained on."""

POSE_HZ = 5.0
"""Rate of the colour camera."""
EAST, NORTH, WEST, SOUTH = 0.0, math.pi / 2, math.pi, -math.pi / 2
START_XY_M, START_YAW_RAD = (0.0, 0.0), WEST


class Act(NamedTuple):
    """A behaviour, and the class of what fills the camera's view from `view_from_s` into it."""

    behaviour: Behaviour
    view: str = ""
    view_from_s: float = 0.0


def acts() -> Iterator[Act]:
    """The script, in order."""
    yield Act(Still(3.5), "table")
    yield Act(Spin(4.5, rate_rad_s=-1.8, stop_yaw_rad=NORTH))
    yield Act(Still(3.5), "lamp")
    yield Act(Spin(4.5, rate_rad_s=-1.9, stop_yaw_rad=EAST))
    yield Act(_drive(7.0, 0.6, (6.0, 0.0)), "sofa", 4.5)
    yield Act(Still(3.0), "sofa")
    yield Act(Spin(4.5, rate_rad_s=1.7, stop_yaw_rad=SOUTH))
    yield Act(_drive(8.0, 0.6, (3.6, -7.0)), "car", 6.0)
    yield Act(Still(3.0), "car")
    yield Act(Spin(2.5, "", rate_rad_s=-1.5, stop_yaw_rad=WEST))
    yield Act(Bump(7.0, speed_m_s=0.6, steer=towards(-3.0, -4.5), back_off_s=0.8))
    yield Act(Carry(9.5, place_m=(-1.7, -4.4)))
    yield Act(Still(3.5), "chair")
    yield Act(Spin(4.5, rate_rad_s=1.9, stop_yaw_rad=SOUTH))
    yield Act(_drive(5.0, 0.65, (-1.7, -10.0)), "person", 3.0)
    yield Act(Still(3.0), "person")
    yield Act(Fall(6.0))


def _drive(duration_s: float, speed_m_s: float, to_m: tuple[float, float]) -> Drive:
    """Drive at a point and brake; the measured ride decides between smooth and rough."""
    return Drive(duration_s, DRIVE, speed_m_s, towards(*to_m), unevenness=0.05, stop_s=0.8)


class Performance(NamedTuple):
    """The robot after the run, and for each act its span [start_s, end_s) with the act."""

    robot: Robot
    spans: tuple[tuple[float, float, Act], ...]


def perform(libraries: Mapping[str, zipfile.ZipFile], rng: np.random.Generator) -> Performance:
    """Run the script; the ground and the hall's textures are drawn from `rng`."""
    bed = gravel_bed(rng)
    robot = Robot(
        SPEC,
        hall_floor(bed, rng),
        build_scene(libraries, SPEC, rng),
        start_xy_m=START_XY_M,
        start_yaw_rad=START_YAW_RAD,
        pose_log_hz=POSE_HZ,
    )
    show_gravel(robot.model, bed)
    spans = []
    for act in acts():
        interval = robot.perform(act.behaviour)
        spans.append((interval.start_s, interval.end_s, act))
    return Performance(robot, tuple(spans))
