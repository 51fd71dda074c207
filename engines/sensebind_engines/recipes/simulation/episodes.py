# SPDX-License-Identifier: Apache-2.0
"""Random episodes: which robot, floor, behaviour and IMU, and which windows they give.

Everything about an episode follows from (seed, split, intent, number); what it is drawn from, from
its split's domain (`domains`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sensebind_engines.recipes.simulation.domains import (
    DOMAINS,
    SPLITS,
    sample_floor_kind,
    sample_robot,
)
from sensebind_engines.recipes.simulation.floors import sample_floor
from sensebind_engines.recipes.simulation.labels import DRIVE, window_label
from sensebind_engines.recipes.simulation.robot import Robot, SimulationError
from sensebind_engines.recipes.simulation.scripts import (
    EPISODE_S,
    INTENTS,
    obstacle,
    run_up_m,
    sample_behaviour,
)
from sensebind_engines.recipes.simulation.sensors import (
    ImuRecording,
    measure_imu,
    sample_imu_model,
)

WINDOW_S = 2.0
WINDOW_STEP_S = 1.0
_LEAD_S = (0.1, 0.6)
"""Cut off the beginning, so that windows begin at any phase of the script."""


class Job(NamedTuple):
    """One episode to simulate."""

    seed: int
    split: str
    intent: str
    number: int

    @property
    def name(self) -> str:
        """Of its file and group."""
        return f"{self.split}-{self.intent}-{self.number:03d}"


class WindowRow(NamedTuple):
    """One window of an episode: its start in time since the first sample, and its class."""

    start_s: float
    label: str


@dataclass(frozen=True)
class Episode:
    """A simulated run as its IMU reported it, and its windows; the class of some is ''."""

    job: Job
    floor: str
    imu: ImuRecording
    windows: tuple[WindowRow, ...]


def simulate_episode(job: Job) -> Episode | None:
    """Simulate one episode; None if the physics became unstable."""
    rng = np.random.default_rng(
        [job.seed, SPLITS.index(job.split), INTENTS.index(job.intent), job.number]
    )
    domain = DOMAINS[job.split]
    kind = sample_floor_kind(rng, domain, drives=job.intent == DRIVE)
    yaw_rad = float(rng.uniform(-math.pi, math.pi))
    behaviour = sample_behaviour(job.intent, rng, domain)
    # Drives cross the middle of the floor; the rest happens there.
    back_m = run_up_m(behaviour)
    robot = Robot(
        sample_robot(rng, domain),
        sample_floor(kind, rng),
        obstacle(rng, yaw_rad, pushable=domain.pushable) if job.intent == "bump" else None,
        start_xy_m=(-back_m * math.cos(yaw_rad), -back_m * math.sin(yaw_rad)),
        start_yaw_rad=yaw_rad,
        slope_rad=math.radians(float(rng.uniform(*domain.slope_deg))),
        slope_heading_rad=float(rng.uniform(-math.pi, math.pi)),
    )
    try:
        robot.perform(behaviour)
    except SimulationError:
        return None
    idles = rng.uniform() < domain.idle_share
    model = sample_imu_model(rng, domain.imu, idles=idles)
    log = robot.log()
    imu = _later(measure_imu(log, model, rng), float(rng.uniform(*_LEAD_S)))
    begin_s = float(imu.stamps_s[0])
    count = int((EPISODE_S - begin_s - WINDOW_S) / WINDOW_STEP_S) + 1
    starts_s = [WINDOW_STEP_S * index for index in range(count)]
    windows = [
        WindowRow(s, window_label(log, job.intent, begin_s + s, begin_s + s + WINDOW_S))
        for s in starts_s
    ]
    return Episode(job, kind, imu, tuple(windows))


def _later(imu: ImuRecording, start_s: float) -> ImuRecording:
    """The recording from a time on."""
    kept = imu.stamps_s >= start_s
    return ImuRecording(imu.stamps_s[kept], imu.samples[kept])
