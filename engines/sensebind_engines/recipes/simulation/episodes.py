# SPDX-License-Identifier: Apache-2.0
"""Random episodes: which robot, floor, behaviour and IMU, and which windows they give.

Everything about an episode follows from (seed, split, intent, number). Splits differ in seed;
`shift` also in robots (heavier, larger wheels, other friction), floors (`HELD_OUT_FLOORS`) and
obstacles (a pushable box instead of a wall).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sensebind_engines.recipes.simulation import behaviours as act
from sensebind_engines.recipes.simulation.floors import (
    HELD_OUT_FLOORS,
    TRAINING_FLOORS,
    sample_floor,
)
from sensebind_engines.recipes.simulation.labels import DRIVE, UNSEEN_CLASS, window_label
from sensebind_engines.recipes.simulation.mjcf import RobotSpec, Scene
from sensebind_engines.recipes.simulation.robot import Behaviour, Robot, SimulationError
from sensebind_engines.recipes.simulation.sensors import (
    ImuRecording,
    measure_imu,
    sample_imu_model,
)

EPISODE_S = 8.0
WINDOW_S = 2.0
WINDOW_STEP_S = 1.0
_LEAD_S = 0.1
"""Kept free before the first window, for the resampler's support."""
_MAX_SLOPE_RAD = math.radians(5.0)

_UNEVEN = ("earth", "cobble")

SPLITS = ("train", "dev", "test", "shift")
INTENTS = ("still", DRIVE, "spin", "bump", "fallen", "carried", UNSEEN_CLASS)


class Job(NamedTuple):
    """One episode to simulate."""

    seed: int
    split: str
    intent: str
    number: int


class WindowRow(NamedTuple):
    """One window of an episode: its end in the episode's time, and its class."""

    end_s: float
    label: str


@dataclass(frozen=True)
class Episode:
    """A simulated run as its IMU reported it, and its labelled windows (possibly none)."""

    job: Job
    floor: str
    imu: ImuRecording
    windows: tuple[WindowRow, ...]


def simulate_episode(job: Job) -> Episode | None:
    """Simulate one episode; None if the physics became unstable."""
    rng = np.random.default_rng(
        [job.seed, SPLITS.index(job.split), INTENTS.index(job.intent), job.number]
    )
    shifted = job.split == "shift"
    kind = _sample_floor_kind(rng, job.intent, held_out=shifted)
    yaw_rad = float(rng.uniform(-math.pi, math.pi))
    behaviour = sample_behaviour(job.intent, rng)
    # Drives cross the middle of the floor; the rest happens there.
    back_m = _run_up_m(behaviour)
    robot = Robot(
        sample_robot(rng, out_of_range=shifted),
        sample_floor(kind, rng),
        _obstacle(rng, yaw_rad, pushable=shifted) if job.intent == "bump" else None,
        start_xy_m=(-back_m * math.cos(yaw_rad), -back_m * math.sin(yaw_rad)),
        start_yaw_rad=yaw_rad,
        slope_rad=float(rng.uniform(0.0, _MAX_SLOPE_RAD)),
        slope_heading_rad=float(rng.uniform(-math.pi, math.pi)),
    )
    try:
        robot.perform(behaviour)
    except SimulationError:
        return None
    log = robot.log()
    windows = []
    for end_s in _window_ends_s(rng):
        label = window_label(log, job.intent, end_s - WINDOW_S, end_s)
        windows.append(WindowRow(end_s, label))
    return Episode(job, kind, measure_imu(log, sample_imu_model(rng), rng), tuple(windows))


def sample_robot(rng: np.random.Generator, *, out_of_range: bool = False) -> RobotSpec:
    """A robot of the training range, or (out_of_range) one that lies outside it."""
    uniform = rng.uniform
    ranges = {
        "mass_kg": (4.0, 10.0),
        "half_length_m": (0.16, 0.24),
        "half_width_m": (0.11, 0.16),
        "half_height_m": (0.04, 0.08),
        "wheel_radius_m": (0.06, 0.09),
        "friction": (0.7, 1.1),
        "motor_gain": (2.0, 5.0),
        "suspension_n_m": (8e3, 3e4),
        "imbalance_kg": (0.0, 0.03),
    }
    if out_of_range:
        slippery = (0.4, 0.6) if uniform() < 0.5 else (1.2, 1.5)
        ranges |= {
            "mass_kg": (12.0, 18.0),
            "half_length_m": (0.25, 0.30),
            "half_width_m": (0.17, 0.20),
            "wheel_radius_m": (0.10, 0.12),
            "friction": slippery,
        }
    drawn = {name: float(uniform(*span)) for name, span in ranges.items()}
    imu_m = (
        float(uniform(-0.08, 0.08)),
        float(uniform(-0.05, 0.05)),
        float(uniform(-0.02, 0.04)),
    )
    return RobotSpec(imu_m=imu_m, **drawn)


def sample_behaviour(intent: str, rng: np.random.Generator) -> Behaviour:
    """A behaviour of the given intent with random parameters."""
    return _SAMPLERS[intent](rng)


def _sample_floor_kind(rng: np.random.Generator, intent: str, *, held_out: bool) -> str:
    """Any floor of the split's group; drives in training meet uneven ones more often."""
    if held_out:
        return str(rng.choice(HELD_OUT_FLOORS))
    return str(rng.choice(TRAINING_FLOORS + _UNEVEN * 3 if intent == DRIVE else TRAINING_FLOORS))


def _run_up_m(behaviour: Behaviour) -> float:
    """How far behind the origin a drive starts (ahead of it when it goes backwards)."""
    if isinstance(behaviour, act.Drive):
        return math.copysign(3.5, behaviour.speed_m_s)
    return 0.0


def _window_ends_s(rng: np.random.Generator) -> list[float]:
    """Ends of the windows, at a random phase."""
    first_s = WINDOW_S + _LEAD_S + float(rng.uniform(0.0, 0.5))
    count = int((EPISODE_S - _LEAD_S - first_s) / WINDOW_STEP_S) + 1
    return [first_s + WINDOW_STEP_S * index for index in range(count)]


def _obstacle(rng: np.random.Generator, yaw_rad: float, *, pushable: bool) -> Scene:
    """A wall, or a box that gives way, 0.8 to 1.5 m ahead of the origin along `yaw_rad`."""
    ahead_m = float(rng.uniform(0.8, 1.5))
    x_m, y_m = ahead_m * math.cos(yaw_rad), ahead_m * math.sin(yaw_rad)
    turn_deg = math.degrees(yaw_rad) + float(rng.uniform(-25.0, 25.0))
    if pushable:
        mass_kg = float(rng.uniform(4.0, 15.0))
        return Scene(
            bodies=f'<body pos="{x_m} {y_m} .21" euler="0 0 {turn_deg}"><freejoint/>'
            f'<geom type="box" size=".15 .3 .2" mass="{mass_kg}"/></body>'
        )
    return Scene(
        bodies=f'<geom type="box" pos="{x_m} {y_m} .4" euler="0 0 {turn_deg}" size=".1 3 .4"/>'
    )


def _sign(rng: np.random.Generator, negative: float = 0.5) -> float:
    return -1.0 if rng.uniform() < negative else 1.0


def _sample_still(_rng: np.random.Generator) -> Behaviour:
    return act.Still(EPISODE_S)


def _sample_drive(rng: np.random.Generator) -> Behaviour:
    return act.Drive(
        EPISODE_S,
        label=DRIVE,
        speed_m_s=_sign(rng, 0.2) * float(rng.uniform(0.25, 0.9)),
        steer=act.weave(*(float(v) for v in rng.uniform((0.0, 0.1, 0.0), (0.7, 0.4, 6.28)))),
        unevenness=float(rng.uniform(0.0, 0.2)),
    )


def _sample_spin(rng: np.random.Generator) -> Behaviour:
    return act.Spin(EPISODE_S, rate_rad_s=_sign(rng) * float(rng.uniform(1.2, 3.5)))


def _sample_bump(rng: np.random.Generator) -> Behaviour:
    speed, push, back_off = rng.uniform((0.35, 0.0, 1.0), (0.9, 0.4, 1.8))
    return act.Bump(
        EPISODE_S, speed_m_s=float(speed), push_s=float(push), back_off_s=float(back_off)
    )


def _sample_fall(rng: np.random.Generator) -> Behaviour:
    sideways = rng.uniform() < 0.7
    heading_rad = _sign(rng) * math.pi / 2 if sideways else (0.0, math.pi)[int(rng.integers(2))]
    return act.Fall(
        EPISODE_S,
        heading_rad=heading_rad,
        angle_rad=math.radians(float(rng.uniform(95.0, 170.0))),
        push_s=float(rng.uniform(0.3, 1.2)),
        wait_s=float(rng.uniform(0.1, 1.5)),
        wheel_rad_s=float(rng.uniform(0.0, 2.0)) * float(rng.uniform() < 0.3),
    )


def _sample_carry(rng: np.random.Generator) -> Behaviour:
    lift, step, bob, speed, sway, turn, phase = rng.uniform(
        (0.4, 1.4, 0.006, 0.3, 0.03, -0.6, 0.0), (1.1, 2.2, 0.035, 1.3, 0.2, 0.6, 6.28)
    )
    tilt = rng.uniform(-0.45, 0.45, 2)
    return act.Carry(
        EPISODE_S,
        lift_m=float(lift),
        step_hz=float(step),
        bob_m=float(bob),
        speed_m_s=float(speed),
        tilt_rad=(float(tilt[0]), float(tilt[1])),
        sway_rad=float(sway),
        turn_rad=float(turn),
        phase_rad=float(phase),
    )


def _sample_shake(rng: np.random.Generator) -> Behaviour:
    rate, amplitude = rng.uniform((3.0, 0.03), (5.0, 0.06))
    return act.Shake(EPISODE_S, rate_hz=float(rate), amplitude_m=float(amplitude))


_SAMPLERS = {
    "still": _sample_still,
    DRIVE: _sample_drive,
    "spin": _sample_spin,
    "bump": _sample_bump,
    "fallen": _sample_fall,
    "carried": _sample_carry,
    UNSEEN_CLASS: _sample_shake,
}
