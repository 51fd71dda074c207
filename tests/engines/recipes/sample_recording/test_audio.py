# SPDX-License-Identifier: Apache-2.0
"""Synthesised sound: strikes ring, motors whir with speed, what sounds in the hall is mixed in."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy", reason="sound synthesis needs the recipes extra")
pytest.importorskip("mujoco", reason="simulation needs the recipes extra")

from sensebind_engines.recipes.sample_recording.audio import RATE_HZ, synthesise
from sensebind_engines.recipes.simulation.log import Interval, SimLog
from sensebind_engines.recipes.simulation.mjcf import PHYSICS_HZ


def _log(seconds: float, *, impact_s: float | None = None, wheel_rad_s: float = 0.0) -> SimLog:
    count = round(seconds * PHYSICS_HZ)
    contact_n = np.zeros((count, 4))
    if impact_s is not None:
        contact_n[round(impact_s * PHYSICS_HZ), 0] = 500.0
    flat = np.zeros((count, 3))
    return SimLog(
        motion=np.zeros((count, 6)),
        contact_n=contact_n,
        wheel_rad_s=np.full((count, 2), wheel_rad_s),
        position_m=flat,
        velocity_m_s=flat,
        up=flat,
        intervals=(Interval(0.0, seconds, ""),),
        impacts=(),
        pose_times_s=np.zeros(0),
        poses=np.zeros((0, 7)),
    )


def _level(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean((samples / 32768.0) ** 2)))


def test_length_and_repeatability() -> None:
    first, second = (synthesise(_log(0.5), (), np.random.default_rng(3)) for _ in range(2))
    assert first.dtype == np.int16
    assert len(first) == RATE_HZ // 2
    assert (first == second).all()


def test_an_impact_is_heard_after_it_happened() -> None:
    sound = synthesise(_log(1.0, impact_s=0.5), (), np.random.default_rng(0))
    before, after = sound[: RATE_HZ // 2 - 32], sound[RATE_HZ // 2 : RATE_HZ // 2 + 800]
    assert _level(after) > 10.0 * _level(before)


def test_motors_grow_louder_with_speed() -> None:
    levels = [
        _level(synthesise(_log(0.5, wheel_rad_s=w), (), np.random.default_rng(0)))
        for w in (0.0, 4.0, 12.0)
    ]
    assert levels[0] < levels[1] < levels[2]


def test_what_sounds_in_the_hall_is_heard_when_it_sounds_and_cut_at_the_end() -> None:
    tone = 0.1 * np.sin(2 * np.pi * 2900.0 * np.arange(RATE_HZ) / RATE_HZ)
    sound = synthesise(_log(2.0), [(1.0, tone), (1.9, tone)], np.random.default_rng(0))
    assert len(sound) == 2 * RATE_HZ
    beep = sound[RATE_HZ : RATE_HZ + 4000].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(beep))
    assert np.argmax(spectrum) * RATE_HZ / len(beep) == pytest.approx(2900.0, abs=5.0)
    assert _level(sound[: RATE_HZ - 1]) < 0.1 * _level(beep)
