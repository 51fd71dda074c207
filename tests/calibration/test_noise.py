# SPDX-License-Identifier: Apache-2.0
"""Noise parameters of simulated sensors whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from sensebind.errors import InputError
from sensebind_calibration.allan import allan_curve, cumulative
from sensebind_calibration.noise import FLICKER_FACTOR, AxisNoise, axis_noise
from tests.support.imu_noise import noise

RATE_HZ, DENSITY = 100.0, 1e-2


def estimate(seed: int, count: int, walk: float = 0.0) -> AxisNoise:
    values = noise(np.random.default_rng(seed), count, RATE_HZ, DENSITY, walk)
    return axis_noise(allan_curve([cumulative(values)], RATE_HZ), 0)


def test_white_noise_and_walk_are_told_apart() -> None:
    found = estimate(0, 200_000, walk=1e-3)
    assert found.noise_density.low <= DENSITY <= found.noise_density.high
    assert found.noise_density.value == pytest.approx(DENSITY, rel=0.02)
    assert found.random_walk.low <= 1e-3 <= found.random_walk.high
    assert found.misfit < 0.5
    assert found.bias_instability.value == pytest.approx(found.minimum / FLICKER_FACTOR)


def test_a_walk_that_is_not_there_is_limited_only() -> None:
    found = estimate(1, 100_000)
    assert found.random_walk.value == found.random_walk.low == 0
    assert 0 < found.random_walk.high < 5e-4
    assert found.at_1_s == pytest.approx(DENSITY, rel=0.05)


def test_a_reading_has_the_density_times_the_root_of_the_rate() -> None:
    values = noise(np.random.default_rng(2), 50_000, RATE_HZ, DENSITY)
    found = axis_noise(allan_curve([cumulative(values)], RATE_HZ), 0)
    assert found.noise_density.value * np.sqrt(RATE_HZ) == pytest.approx(values.std(), rel=0.03)


def test_short_and_dead_recordings_are_refused() -> None:
    with pytest.raises(InputError, match="too short to tell noise from drift"):
        estimate(3, 700)
    with pytest.raises(InputError, match="never changes"):
        axis_noise(allan_curve([np.zeros(10_001)], RATE_HZ), 0)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "walk"), [(200_000, 1e-3), (200_000, 1e-4), (50_000, 1e-3)])
def test_intervals_hold_the_truth_as_often_as_they_say(count: int, walk: float) -> None:
    instances = 300
    found = [estimate(seed, count, walk) for seed in range(instances)]
    for held in (
        sum(n.noise_density.low <= DENSITY <= n.noise_density.high for n in found),
        sum(n.random_walk.low <= walk <= n.random_walk.high for n in found),
    ):
        assert held / instances >= 0.90  # four standard deviations of a binomial below 95 %


@pytest.mark.slow
def test_errors_shrink_with_the_root_of_the_length() -> None:
    def spread(count: int) -> float:
        return float(np.std([estimate(seed, count).noise_density.value for seed in range(200)]))

    ratio = spread(20_000) / spread(320_000)
    assert 3.0 < ratio < 5.3  # 4 = sqrt(16), known to 10 % of 200 instances each
