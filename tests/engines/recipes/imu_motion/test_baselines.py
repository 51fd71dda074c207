# SPDX-License-Identifier: Apache-2.0
"""Baselines learn levels and ignore the sense of turning."""

from __future__ import annotations

import numpy as np
import pytest

from sensebind_engines.recipes.imu_motion.baselines import (
    NearestMean,
    Regression,
    window_statistics,
)


def test_statistics_are_mean_spread_and_peak_of_every_channel() -> None:
    features = np.zeros((1, 6, 4), np.float32)
    features[0, 0] = [1.0, 1.0, 3.0, 3.0]
    features[0, 5] = -2.0
    found = window_statistics(features)[0]
    assert found.shape == (18,)
    assert found[[0, 5]] == pytest.approx([2.0, 2.0])  # a rate counts without its sign
    assert np.exp(found[[6, 12]]) == pytest.approx([1.001, 1.001])
    assert np.exp(found[[7, 13]]) == pytest.approx([0.001, 0.001])


@pytest.mark.parametrize("kind", [NearestMean, Regression])
def test_baselines_learn_levels_and_ignore_the_sense_of_turning(
    kind: type[NearestMean | Regression],
) -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(300) % 2
    features = rng.normal(0.0, 0.1, (300, 6, 50)).astype(np.float32)
    features[truth == 1, 5] += rng.choice([-2.0, 2.0], 150)[:, None]
    baseline = kind(features[:200], truth[:200])
    assert (baseline.predict(features[200:]) == truth[200:]).mean() >= 0.9
