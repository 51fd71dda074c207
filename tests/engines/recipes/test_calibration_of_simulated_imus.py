# SPDX-License-Identifier: Apache-2.0
"""The estimators of calibration find what the simulation of sensors says it put in."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sensebind_calibration.allan import allan_curve, cumulative
from sensebind_calibration.noise import axis_noise
from sensebind_engines.recipes.simulation.sensors import _apply_errors, sample_imu_model


@pytest.mark.parametrize("sensor", ["accelerometer", "gyroscope"])
def test_noise_densities_are_found(sensor: str) -> None:
    rng = np.random.default_rng(3)
    model = sample_imu_model(rng)
    errors = getattr(model, sensor)
    readings = _apply_errors(np.zeros((400_000, 3)), errors, model.rate_hz, rng)
    curve = allan_curve(
        [cumulative(np.ascontiguousarray(axis)) for axis in readings.T], float(model.rate_hz)
    )
    # The simulation's densities are one-sided; N is two-sided. Steps of the output add theirs.
    step = errors.limit / 32768
    sigma = math.hypot(errors.noise_density * math.sqrt(model.rate_hz / 2), step / math.sqrt(12))
    for axis in range(3):
        found = axis_noise(curve, axis)
        assert found.noise_density.value == pytest.approx(
            sigma / math.sqrt(model.rate_hz), rel=0.02
        )
        assert found.random_walk.high > 0.6 * errors.walk
        assert found.random_walk.low < 1.6 * errors.walk
