# SPDX-License-Identifier: Apache-2.0
"""Episodes: repeatable, labelled by measurement, drawn from domains that share nothing."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="simulation needs the recipes extra")

from sensebind_engines.recipes.simulation.domains import (
    DEV,
    SHIFT,
    TRAINING,
    Domain,
    sample_floor_kind,
    sample_robot,
)
from sensebind_engines.recipes.simulation.episodes import (
    WINDOW_S,
    WINDOW_STEP_S,
    Episode,
    Job,
    simulate_episode,
)
from sensebind_engines.recipes.simulation.scripts import EPISODE_S

ROBOT = ("mass_kg", "half_length_m", "half_width_m", "wheel_radius_m", "friction")


def _episode(split: str, intent: str) -> Episode:
    episode = simulate_episode(Job(7, split, intent, 0))
    assert episode is not None
    return episode


def _apart(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[1] <= other[0] or other[1] <= one[0]


def test_an_episode_is_the_same_every_time() -> None:
    first, again = (_episode("train", "bump") for _ in range(2))
    assert first.imu.samples.tobytes() == again.imu.samples.tobytes()
    assert first.imu.stamps_s.tobytes() == again.imu.stamps_s.tobytes()
    assert first.windows == again.windows


def test_splits_draw_different_episodes() -> None:
    train, test = (_episode(split, "still") for split in ("train", "test"))
    assert not np.array_equal(train.imu.samples[:100], test.imu.samples[:100])


@pytest.mark.parametrize("intent", ["still", "spin", "fallen"])
def test_windows_are_of_their_script_and_inside_the_recording(intent: str) -> None:
    episode = _episode("shift", intent)
    assert {window.label for window in episode.windows} == {intent}
    starts_s = [window.start_s for window in episode.windows]
    assert starts_s == [WINDOW_STEP_S * index for index in range(len(starts_s))]
    lasts_s = episode.imu.stamps_s[-1] - episode.imu.stamps_s[0]
    assert lasts_s - WINDOW_STEP_S < starts_s[-1] + WINDOW_S <= lasts_s + 0.01
    assert 0.0 < episode.imu.stamps_s[0] < EPISODE_S - lasts_s


def test_domains_share_no_floor_and_no_robot() -> None:
    domains = (TRAINING, DEV, SHIFT)
    for one in domains:
        for other in domains:
            if one is not other:
                assert not set(one.floors) & set(other.floors)
                assert all(_apart(getattr(one, name), getattr(other, name)) for name in ROBOT)
                assert not set(one.imu.rates_hz) & set(other.imu.rates_hz)
                assert _apart(one.imu.mount_deg, other.imu.mount_deg)


@pytest.mark.parametrize("domain", [TRAINING, DEV, SHIFT])
def test_robots_and_floors_are_drawn_from_their_domain(domain: Domain) -> None:
    rng = np.random.default_rng(0)
    robots = [sample_robot(rng, domain) for _ in range(20)]
    for name in ROBOT:
        low, high = getattr(domain, name)
        assert all(low <= getattr(robot, name) <= high for robot in robots)
    for robot in robots:
        reach = np.abs(robot.imu_m) / (robot.half_length_m, robot.half_width_m, robot.half_height_m)
        assert (reach <= domain.placement).all()
    kinds = [sample_floor_kind(rng, domain, drives=True) for _ in range(200)]
    assert set(kinds) == set(domain.floors)
    assert sum(kind in domain.shaking_floors for kind in kinds) > 100
