# SPDX-License-Identifier: Apache-2.0
"""The simulated robot: axes, rest, determinism, behaviours, pitfalls of contact solvers."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="simulation needs the recipes extra")

from typing import TYPE_CHECKING

from sensebind_engines.recipes.simulation import behaviours as act
from sensebind_engines.recipes.simulation.floors import PLANE, Floor, sample_floor
from sensebind_engines.recipes.simulation.labels import window_label
from sensebind_engines.recipes.simulation.mjcf import PHYSICS_HZ, RobotSpec, Scene
from sensebind_engines.recipes.simulation.robot import Behaviour, Robot, SimulationError

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind_engines.recipes.simulation.log import SimLog

WALL = Scene(bodies='<geom type="box" pos="1 0 .4" size=".1 3 .4"/>')


def _run(
    *script: Behaviour, floor: Floor = PLANE, scene: Scene | None = None, slope_rad: float = 0.0
) -> SimLog:
    robot = Robot(RobotSpec(), floor, scene, slope_rad=slope_rad)
    for behaviour in script:
        robot.perform(behaviour)
    return robot.log()


def test_at_rest_the_imu_feels_gravity_up_and_nothing_chatters() -> None:
    log = _run(act.Still(0.5))
    assert log.motion.mean(axis=0) == pytest.approx([0, 0, 9.81, 0, 0, 0], abs=0.02)
    assert log.motion.std(axis=0).max() < 1e-3


@pytest.mark.parametrize("floor", [PLANE, Floor("flat", np.full((400, 400), 0.002))])
def test_driving_on_flat_ground_does_not_shake(floor: Floor) -> None:
    log = _run(act.Drive(2.0, speed_m_s=0.6), floor=floor)
    assert log.motion[PHYSICS_HZ:, 2].std() < 0.02
    assert log.velocity_m_s[-1, 0] == pytest.approx(0.6, abs=0.02)


def test_uneven_ground_shakes_more_than_even_ground() -> None:
    rng = np.random.default_rng(3)
    rough, even = (
        _run(act.Drive(2.0, speed_m_s=0.6), floor=sample_floor(kind, rng))
        for kind in ("cobble", "concrete")
    )
    assert rough.motion[PHYSICS_HZ:, 2].std() > 10 * even.motion[PHYSICS_HZ:, 2].std()


def test_axes_are_forward_left_up() -> None:
    log = _run(act.Drive(0.4, speed_m_s=0.8, ramp_s=0.4), act.Spin(1.0, rate_rad_s=1.5))
    assert log.motion[200:700, 0].mean() > 1.0  # speeding up
    assert log.motion[-400:, 5].mean() == pytest.approx(1.5, abs=0.1)  # counter-clockwise
    slope = _run(act.Still(0.3), slope_rad=0.1)  # the ground falls towards +x
    assert slope.motion[:, 0].mean() == pytest.approx(-9.81 * math.sin(0.1), abs=0.05)


def test_the_same_script_gives_the_same_bytes() -> None:
    floor = sample_floor("earth", np.random.default_rng(5))
    first, again = (_run(act.Drive(0.5), act.Carry(0.5), floor=floor) for _ in range(2))
    assert first.motion.tobytes() == again.motion.tobytes()


def test_poses_are_logged_at_the_given_rate() -> None:
    robot = Robot(RobotSpec(), pose_log_hz=10.0)
    robot.perform(act.Still(0.55))
    robot.perform(act.Spin(0.5))
    log = robot.log()
    assert log.pose_times_s == pytest.approx(np.arange(11) / 10)
    assert log.poses.shape == (11, robot.model.nq)
    assert [(round(i.start_s, 9), round(i.end_s, 9), i.label) for i in log.intervals] == [
        (0.0, 0.55, "still"),
        (0.55, 1.05, "spin"),
    ]


def test_bump_notices_its_impacts() -> None:
    log = _run(act.Bump(2.5, speed_m_s=0.6), scene=WALL)
    assert len(log.impacts) == 1
    assert 1.0 < log.impacts[0].time_s < 2.0
    assert log.impacts[0].force_n > act.IMPACT_N
    assert window_label(log, "bump", 0.5, 2.5) == "bump"
    assert window_label(log, "bump", 0.0, 0.9) == ""


def test_a_touched_robot_rocks_and_stays_where_it_stands() -> None:
    nudge = act.Nudge(0.5, 0.3, (12.0, -12.0, -12.0))
    log = _run(act.Nudged(2.5, nudges=(nudge,)))
    assert np.abs(log.motion[1000:1600, :2]).max() > 0.1
    assert np.abs(log.motion[2400:, :2]).max() < 0.05
    assert window_label(log, "still", 0.1, 2.1) == "still"


def test_standing_hands_tremble() -> None:
    log = _run(act.Carry(4.0, bob_m=0.0, speed_m_s=0.0, sway_rad=0.0, turn_rad=0.0, tremor_m=3e-5))
    calm = _run(act.Carry(4.0, bob_m=0.0, speed_m_s=0.0, sway_rad=0.0, turn_rad=0.0))
    shaken, steady = (run.motion[6000:, 2].std() for run in (log, calm))
    assert 0.01 < shaken < 0.2
    assert steady < 0.1 * shaken


def test_a_tight_curve_is_no_spin_and_a_spin_is_no_ride() -> None:
    curve = _run(act.Drive(3.0, speed_m_s=0.5, steer=act.weave(0.0, 0.1, bias_rad_s=0.9)))
    assert window_label(curve, "drive", 1.0, 3.0) == "smooth"
    assert window_label(curve, "spin", 1.0, 3.0) == ""
    spin = _run(act.Spin(3.0, rate_rad_s=0.9))
    assert window_label(spin, "spin", 1.0, 3.0) == "spin"
    assert window_label(spin, "drive", 1.0, 3.0) == ""


def test_free_bodies_of_the_scene_stay_where_they_were_put() -> None:
    box = '<body name="box" pos="1 .3 .2"><freejoint/><geom type="box" size=".1 .1 .2"/></body>'
    robot = Robot(RobotSpec(), scene=Scene(bodies=box), start_xy_m=(-1.0, 0.5), start_yaw_rad=1.0)
    assert robot.position_m[:2] == pytest.approx([-1.0, 0.5], abs=0.01)
    assert robot.yaw_rad == pytest.approx(1.0, abs=0.01)
    robot.perform(act.Carry(3.0))
    assert robot.position_m[2] > 0.6
    assert robot.data.body("box").xpos == pytest.approx([1.0, 0.3, 0.2], abs=0.01)


@pytest.mark.parametrize("heading_rad", [0.0, math.pi / 2, math.pi, -math.pi / 2])
@pytest.mark.parametrize("angle_deg", [95.0, 170.0])
def test_every_push_tips_the_robot_for_good(heading_rad: float, angle_deg: float) -> None:
    fall = act.Fall(2.5, heading_rad=heading_rad, angle_rad=math.radians(angle_deg), push_s=0.5)
    log = _run(fall)
    assert log.up[-1, 2] < 0.5
    assert window_label(log, "fallen", 0.5, 2.5) == "fallen"


def test_carried_robot_leaves_the_ground_and_is_put_down() -> None:
    log = _run(act.Carry(6.0, place_m=(1.0, -0.5)))
    assert log.position_m[:, 2].max() > 0.6
    assert log.position_m[-1, :2] == pytest.approx([1.0, -0.5], abs=0.1)
    assert not log.airborne[-1]
    assert window_label(log, "carried", 2.0, 4.0) == "carried"
    assert window_label(log, "carried", 5.0, 6.0) == ""


def test_ride_is_labelled_by_its_vibration() -> None:
    rng = np.random.default_rng(3)
    rough = _run(act.Drive(3.0, speed_m_s=0.8), floor=sample_floor("cobble", rng))
    smooth = _run(act.Drive(3.0, speed_m_s=0.8))
    assert window_label(rough, "drive", 1.0, 3.0) == "rough"
    assert window_label(smooth, "drive", 1.0, 3.0) == "smooth"


def test_unstable_physics_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warning to a file where it runs
    robot = Robot(RobotSpec())
    robot.data.joint("base").qvel[0] = 1e12
    with pytest.raises(SimulationError, match="physics became unstable in 'still'"):
        robot.perform(act.Still(0.1))
