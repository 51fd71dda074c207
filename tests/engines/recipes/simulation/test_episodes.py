# SPDX-License-Identifier: Apache-2.0
"""Episodes: repeatable, labelled by measurement, sensed with errors, windowed by the runtime."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="simulation needs the recipes extra")

from typing import TYPE_CHECKING

from sensebind.specs import ImuSpec
from sensebind_engines.recipes.simulation import dataset
from sensebind_engines.recipes.simulation.episodes import (
    EPISODE_S,
    INTENTS,
    WINDOW_S,
    Job,
    sample_robot,
    simulate_episode,
)
from sensebind_engines.recipes.simulation.labels import CLASSES, UNSEEN_CLASS
from sensebind_engines.recipes.simulation.log import Interval, SimLog
from sensebind_engines.recipes.simulation.sensors import (
    IMU_HZ,
    drive_vibration,
    measure_imu,
    sample_imu_model,
)
from sensebind_engines.recipes.simulation.windows import INPUT_RATES_HZ, make_windows

if TYPE_CHECKING:
    from pathlib import Path

JOBS = [Job(7, "train", intent, 0) for intent in ("still", "drive", "fallen")]
SPEC = ImuSpec(rate_hz=200.0)


@pytest.fixture(scope="module")
def episodes() -> dataset.EpisodeSet:
    return dataset.simulate(JOBS, processes=1)


def _resting_log(seconds: float) -> SimLog:
    n = round(2000 * seconds)
    motion = np.zeros((n, 6))
    motion[:, 2] = 9.81
    still, up = np.zeros((n, 3)), np.tile([0.0, 0.0, 1.0], (n, 1))
    return SimLog(
        motion=motion,
        contact_n=np.ones((n, 4)),
        wheel_rad_s=np.zeros((n, 2)),
        position_m=still,
        velocity_m_s=still,
        up=up,
        intervals=(Interval(0.0, seconds, "still"),),
        impacts=(),
        pose_times_s=np.empty(0),
        poses=np.empty((0, 7)),
    )


def test_an_episode_is_the_same_every_time(episodes: dataset.EpisodeSet) -> None:
    again = simulate_episode(JOBS[0])
    assert again is not None
    span = slice(episodes.starts[0], episodes.starts[1])
    assert again.imu.samples.tobytes() == episodes.samples[span].tobytes()
    assert again.imu.stamps_s.tobytes() == episodes.stamps_s[span].tobytes()


def test_windows_carry_the_classes_of_their_scripts(episodes: dataset.EpisodeSet) -> None:
    for number, expected in ((0, {"still"}), (2, {"fallen"})):
        assert set(episodes.window_label[episodes.window_episode == number]) == expected
    ends = episodes.window_end_s
    assert ends.min() > WINDOW_S
    assert ends.max() < EPISODE_S


def test_splits_draw_different_episodes() -> None:
    train, dev = (simulate_episode(Job(7, split, "still", 0)) for split in ("train", "dev"))
    assert train is not None
    assert dev is not None
    assert not np.array_equal(train.imu.samples, dev.imu.samples)


def test_the_unseen_class_is_never_in_training_or_dev() -> None:
    jobs = dataset.all_jobs(0)
    assert {job.split for job in jobs if job.intent == UNSEEN_CLASS} == {"test", "shift"}
    assert len(set(jobs)) == len(jobs)
    assert {job.intent for job in jobs} == set(INTENTS)
    assert UNSEEN_CLASS not in CLASSES


def test_robots_out_of_range_are_outside_the_training_ranges() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        inside, outside = sample_robot(rng), sample_robot(rng, out_of_range=True)
        assert inside.mass_kg <= 10.0 < 12.0 <= outside.mass_kg
        assert inside.wheel_radius_m <= 0.09 < 0.10 <= outside.wheel_radius_m
        assert not 0.7 <= outside.friction <= 1.1


def test_two_processes_give_what_one_gives(episodes: dataset.EpisodeSet) -> None:
    parallel = dataset.simulate(JOBS, processes=2)
    for name, column in episodes._asdict().items():
        assert np.array_equal(getattr(parallel, name), column), name


def test_the_set_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "all_jobs", lambda _seed: JOBS[:1])
    built = dataset.load_episodes(tmp_path)
    monkeypatch.setattr(dataset, "simulate", lambda _jobs: pytest.fail("simulated again"))
    again = dataset.load_episodes(tmp_path)
    assert built.samples.tobytes() == again.samples.tobytes()


def test_imu_reports_its_own_errors() -> None:
    model = sample_imu_model(np.random.default_rng(1))
    imu = measure_imu(_resting_log(20.0), model, np.random.default_rng(2))
    truth = np.array([0.0, 0.0, 9.81])
    expected = np.array(model.accelerometer.matrix) @ truth + model.accelerometer.bias
    assert imu.samples[:, :3].mean(axis=0) == pytest.approx(expected, abs=5e-3)
    sigma = model.accelerometer.noise_density * np.sqrt(IMU_HZ / 2)
    assert np.diff(imu.samples[:, 0]).std() == pytest.approx(sigma * np.sqrt(2), rel=0.05)
    assert np.all(np.diff(imu.stamps_s) > 0)


def test_imu_loses_what_is_dropped_and_clips() -> None:
    log = _resting_log(1.0)
    log.motion[1000:, 0] = 1e4
    rng = np.random.default_rng(0)
    imu = measure_imu(log, sample_imu_model(rng), rng, dropout_s=(0.2, 0.3))
    assert len(imu.samples) == IMU_HZ - 40
    assert not ((imu.stamps_s > 0.202) & (imu.stamps_s < 0.298)).any()
    assert np.abs(imu.samples[:, 0]).max() == pytest.approx(16 * 9.81)


def test_drive_vibration_grows_with_wheel_speed_from_nothing() -> None:
    model = replace(sample_imu_model(np.random.default_rng(0)), vibration_m_s2=0.5)
    wheels = np.repeat([[0.0], [5.0], [10.0]], 2000, axis=0) * np.ones(2)
    shaking = drive_vibration(wheels, model, np.random.default_rng(1)).reshape(3, 2000, 6)
    rms = shaking.std(axis=1)
    assert rms[0].max() == 0.0
    assert rms[2] == pytest.approx(2 * rms[1], rel=0.1)


def test_features_are_the_runtimes_at_every_input_rate(episodes: dataset.EpisodeSet) -> None:
    windows = make_windows(episodes, SPEC)
    assert windows.features.shape[1:] == (len(INPUT_RATES_HZ), 6, 400)
    still = windows.select(windows.labels == "still").features
    assert still[:, :, 2].mean(axis=-1) == pytest.approx(
        np.full(still.shape[:2], still[0, 0, 2].mean()), abs=0.05
    )
    # A slower IMU carries less of the noise.
    assert still[:, 2, 0].std() < still[:, 0, 0].std() + 1e-3
    assert np.isfinite(windows.features).all()
