# SPDX-License-Identifier: Apache-2.0
"""Changes: told once, not too often, and the new becomes the usual."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sensebind.changes import ChangeConfig, ChangeDetector
from sensebind.errors import ConfigError
from tests.support.spaces import S, embedding

STEP_S = 0.5


def changes(config: ChangeConfig, *degrees: float, stream: str = "camera") -> list[float]:
    """Indices of windows at which a change was told; vectors turn by degrees."""
    detector = ChangeDetector(config)
    events = []
    for i, degree in enumerate(degrees):
        angle = math.radians(degree)
        event = detector.add(embedding(i * STEP_S, math.cos(angle), math.sin(angle), stream=stream))
        if event is not None:
            assert (event.stream, event.modality) == (stream, "vision")
            assert event.distance >= config.threshold
            events.append(event.grid_ns / S / STEP_S)
    return events


CONFIG = ChangeConfig(threshold=0.3, memory_s=5.0, refractory_s=2.0)


def test_a_lasting_change_is_told_once() -> None:
    assert changes(CONFIG, *[0] * 10, *[90] * 30) == [10]


def test_slow_change_is_none() -> None:
    assert changes(CONFIG, *[i * 0.5 for i in range(180)]) == []


def test_a_spike_is_told_once() -> None:
    assert changes(CONFIG, *[0] * 10, 90, *[0] * 20) == [10]
    at_once = ChangeConfig(threshold=0.3, memory_s=5.0, refractory_s=0.0)
    assert changes(at_once, *[0] * 10, 90, *[0] * 20) == [10]


def test_changes_in_quick_succession_wait() -> None:
    back_and_forth = [*[0] * 10, *[90] * 10, *[0] * 10]
    assert changes(CONFIG, *back_and_forth) == [10, 20]
    patient = ChangeConfig(threshold=0.3, memory_s=5.0, refractory_s=8.0)
    assert changes(patient, *back_and_forth) == [10]


def test_a_distance_around_the_threshold_is_told_once() -> None:
    edge = math.degrees(math.acos(1 - 0.31))
    nervous = ChangeConfig(threshold=0.3, release=0.3, memory_s=3600.0, refractory_s=0.0)
    calm = ChangeConfig(threshold=0.3, release=0.05, memory_s=3600.0, refractory_s=0.0)
    swing = [0.0] * 50 + [edge + 1, -edge + 20] * 10
    assert len(changes(nervous, *swing)) >= len(changes(calm, *swing)) >= 1


def test_streams_are_watched_apart_and_resets_forget() -> None:
    detector = ChangeDetector(CONFIG)
    for i in range(10):
        assert detector.add(embedding(i, 1.0)) is None
        assert detector.add(embedding(i, 0.0, 1.0, stream="mic")) is None
    assert detector.add(embedding(3, 0.0, 1.0)) is None  # the clock was set back
    assert detector.add(embedding(4, 0.0, 1.0)) is None
    assert detector.add(embedding(10, 1.0, stream="mic")) is not None


def test_the_distance_is_to_the_fading_mean() -> None:
    detector = ChangeDetector(ChangeConfig(threshold=0.5, memory_s=4.0))
    rng = np.random.default_rng(2)
    vectors = [embedding(i * 0.5, 1.0, *(0.3 * rng.standard_normal(2))) for i in range(20)]
    assert not any(detector.add(e) for e in vectors)
    last = embedding(10.0, 0.0, 0.0, 0.0, 1.0)
    weights = [math.exp(-(9.5 - i * 0.5) / 4.0) for i in range(20)]
    mean = sum(w * e.vector.astype(float) for w, e in zip(weights, vectors, strict=True))
    event = detector.add(last)
    assert event is not None
    assert isinstance(mean, np.ndarray)
    expected = 1 - float(last.vector @ mean) / float(np.linalg.norm(mean))
    assert event.distance == pytest.approx(expected, rel=1e-12)


def test_a_release_above_the_threshold_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"release=0.4 is above threshold=0.3"):
        ChangeConfig(threshold=0.3, release=0.4)
