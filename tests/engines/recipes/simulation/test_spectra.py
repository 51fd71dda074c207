# SPDX-License-Identifier: Apache-2.0
"""What a robot at rest or on flat ground leaves in the ideal IMU: no trace of the contact solver.

Amplitude densities above 12 Hz were looked at for robots of every domain, standing, driving and
spinning on a plane, and lying after a fall in each direction, up to 250 Hz. Found and mended:
a robot on its back that rests on chassis and both wheels chattered at 0.3 m/s^2 (a softer chassis
contact ended it), and standing robots rolled down slopes (the motors now hold their angle). What is
left is below the noise of the quietest IMU of the ranges, 54 ug/sqrt(Hz).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

pytest.importorskip("mujoco", reason="simulation needs the recipes extra")

from sensebind_engines.recipes.simulation import behaviours as act
from sensebind_engines.recipes.simulation.domains import DEV, SHIFT, TRAINING, Domain, sample_robot
from sensebind_engines.recipes.simulation.mjcf import GRAVITY_M_S2, PHYSICS_HZ
from sensebind_engines.recipes.simulation.robot import Robot

if TYPE_CHECKING:
    from sensebind_engines.recipes.simulation.robot import Behaviour

QUIETEST_M_S2 = 0.3 * 180e-6 * GRAVITY_M_S2 * math.sqrt(100.0)
"""Noise within 100 Hz of the quietest IMU that is drawn."""
HIGH_PASS = butter(2, 12.0, "high", fs=PHYSICS_HZ, output="sos")


def _last_vibration(domain: Domain, seed: int, behaviour: Behaviour) -> float:
    """Largest RMS above 12 Hz of the three accelerations in the last two seconds, m/s^2."""
    rng = np.random.default_rng(seed)
    slope_rad = math.radians(float(rng.uniform(*domain.slope_deg)))
    robot = Robot(sample_robot(rng, domain), slope_rad=slope_rad, slope_heading_rad=float(seed))
    robot.perform(behaviour)
    motion = sosfiltfilt(HIGH_PASS, robot.log().motion[-5000:, :3], axis=0)
    return float(motion[800:-200].std(axis=0).max())


@pytest.mark.parametrize("domain", [TRAINING, DEV, SHIFT], ids=["train", "dev", "shift"])
@pytest.mark.parametrize(
    "behaviour",
    [act.Still(2.6), act.Drive(4.0, speed_m_s=0.6), act.Spin(4.0, rate_rad_s=1.5)],
    ids=["still", "drive", "spin"],
)
def test_flat_ground_leaves_no_vibration(domain: Domain, behaviour: Behaviour) -> None:
    assert _last_vibration(domain, 3, behaviour) < QUIETEST_M_S2


@pytest.mark.parametrize("seed", range(4))
def test_a_robot_on_its_back_does_not_chatter(seed: int) -> None:
    heading_rad = (0.0, math.pi / 2, math.pi, -math.pi / 2)[seed]
    fall = act.Fall(5.0, heading_rad=heading_rad, angle_rad=math.radians(170.0))
    assert _last_vibration(SHIFT, seed, fall) < QUIETEST_M_S2


def test_standing_robots_do_not_creep() -> None:
    rng = np.random.default_rng(0)
    robot = Robot(sample_robot(rng, SHIFT), slope_rad=math.radians(SHIFT.slope_deg[1]))
    robot.perform(act.Still(0.5))
    before_m = robot.position_m
    robot.perform(act.Still(2.0))
    assert np.abs(robot.position_m - before_m).max() < 1e-2  # MuJoCo's soft friction creeps
