# SPDX-License-Identifier: Apache-2.0
"""What a simulated IMU reports of a known motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="simulation needs the recipes extra")

from sensebind_engines.recipes.simulation.log import Interval, SimLog
from sensebind_engines.recipes.simulation.sensors import (
    IMU_HZ,
    ImuRanges,
    measure_imu,
    sample_imu_model,
    vibration,
)

WIDE = ImuRanges(rates_hz=(100, 500), mount_deg=(10.0, 12.0), noise=(2.0, 3.0))


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


def test_imu_reports_its_own_errors() -> None:
    model = sample_imu_model(np.random.default_rng(1))
    imu = measure_imu(_resting_log(20.0), model, np.random.default_rng(2))
    truth = np.array([0.0, 0.0, 9.81])
    expected = np.array(model.accelerometer.matrix) @ truth + model.accelerometer.bias
    assert imu.samples[:, :3].mean(axis=0) == pytest.approx(expected, abs=5e-3)
    sigma = model.accelerometer.noise_density * np.sqrt(IMU_HZ / 2)
    assert np.diff(imu.samples[:, 0]).std() == pytest.approx(sigma * np.sqrt(2), rel=0.05)
    assert np.all(np.diff(imu.stamps_s) > 0)


@pytest.mark.parametrize("seed", range(4))
def test_rates_mounts_and_noise_are_drawn_from_the_ranges(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = sample_imu_model(rng, WIDE)
    assert model.rate_hz in WIDE.rates_hz
    assert 10.0 <= np.degrees(np.linalg.norm(model.mount_rad)) <= 12.0
    assert 2.0 <= model.accelerometer.noise_density / (180e-6 * 9.81) <= 3.0
    imu = measure_imu(_resting_log(2.0), model, rng)
    assert len(imu.samples) == 2 * model.rate_hz
    assert np.all(np.diff(imu.stamps_s) > 0)


def test_a_turned_mount_turns_both_triads_and_keeps_their_length() -> None:
    log = _resting_log(5.0)
    log.motion[:, 5] = 1.0
    straight = replace(sample_imu_model(np.random.default_rng(0)), mount_rad=(0.0, 0.0, 0.0))
    turned = replace(straight, mount_rad=(np.pi / 2, 0.0, 0.0))
    before, after = (
        measure_imu(log, model, np.random.default_rng(1)).samples.mean(axis=0)
        for model in (straight, turned)
    )
    # The sensor's y axis points up after a quarter turn about x.
    assert before[[2, 5]] == pytest.approx([9.81, 1.0], abs=0.6)
    assert after[[1, 4]] == pytest.approx([9.81, 1.0], abs=0.6)
    assert abs(after[2]) < 0.6


def test_imu_loses_what_is_dropped_and_clips() -> None:
    log = _resting_log(1.0)
    log.motion[1000:, 0] = 1e4
    rng = np.random.default_rng(0)
    model = sample_imu_model(rng)
    imu = measure_imu(log, model, rng, dropout_s=(0.2, 0.3))
    assert len(imu.samples) == IMU_HZ - 40
    assert not ((imu.stamps_s > 0.202) & (imu.stamps_s < 0.298)).any()
    assert np.abs(imu.samples[:, 0]).max() == pytest.approx(model.accelerometer.limit)


def test_vibration_grows_with_wheel_speed_from_that_of_fans() -> None:
    shaking = replace(
        sample_imu_model(np.random.default_rng(0)).shaking, drive_m_s2=0.5, idle_m_s2=0.0
    )
    wheels = np.repeat([[0.0], [5.0], [10.0]], 2000, axis=0) * np.ones(2)
    rms = vibration(wheels, shaking, np.random.default_rng(1)).reshape(3, 2000, 6).std(axis=1)
    assert rms[0].max() == 0.0
    assert rms[2] == pytest.approx(2 * rms[1], rel=0.1)
    fans = replace(shaking, drive_m_s2=0.0, idle_m_s2=0.2)
    rms = vibration(wheels, fans, np.random.default_rng(1)).reshape(3, 2000, 6).std(axis=1)
    assert rms[2] == pytest.approx(rms[0], rel=0.1)
    assert rms[0, :3] == pytest.approx(np.array(fans.axes) * 0.2 * np.sqrt(1.5), rel=0.1)


def test_idling_is_switched_off_without_changing_other_draws() -> None:
    ranges = replace(WIDE, idle_m_s2=(0.1, 0.2))
    on, off = (
        sample_imu_model(np.random.default_rng(3), ranges, idles=idles) for idles in (True, False)
    )
    assert on.shaking.idle_m_s2 > 0.0 == off.shaking.idle_m_s2
    assert on.shaking.axes == off.shaking.axes
