# SPDX-License-Identifier: Apache-2.0
"""Simulated temperatures: plausible, of whole parts, and no class's own."""

from __future__ import annotations

import numpy as np
import pytest

from sensebind_engines.recipes.object_renders.classes import CLASSES
from sensebind_engines.recipes.object_scenes.thermal import (
    AIR_C,
    FRAME_PX,
    WARMTH,
    thermal_centikelvin,
)

PART = 5


def _surface() -> np.ndarray:
    """A thing of one part before a floor and a wall, and some sky."""
    surface = np.zeros((240, 320), np.int64)
    surface[:120] = 1
    surface[:20] = -1
    surface[80:200, 120:200] = PART
    return surface


def _celsius(label: str, seed: int) -> tuple[float, float]:
    """Mean temperature of the thing and of the wall."""
    near = np.ones((240, 320))
    frame = thermal_centikelvin(_surface(), near, label, (PART,), np.random.default_rng(seed))
    assert frame.shape == FRAME_PX
    assert frame.dtype == np.uint16
    celsius = frame / 100 - 273.15
    return float(celsius[25:45, 35:45].mean()), float(celsius[10:28, :25].mean())


@pytest.mark.parametrize("label", CLASSES)
def test_no_class_has_a_temperature_of_its_own(label: str) -> None:
    things, walls = zip(*(_celsius(label, seed) for seed in range(60)), strict=True)
    excess = np.array(things) - walls
    other = "table" if label != "table" else "cabinet"
    others = [np.subtract(*_celsius(other, seed + 1000)) for seed in range(60)]
    overlap = np.mean((excess > min(others)) & (excess < max(others)))
    assert overlap > 0.1
    assert AIR_C[0] - 5 < min(walls) < max(walls) < AIR_C[1] + 5


def test_every_class_has_shares_of_at_most_all() -> None:
    assert WARMTH.keys() == CLASSES.keys()
    assert all(sum(way.share for way in ways) <= 1 for ways in WARMTH.values())


def test_the_living_are_warmer_than_a_cool_room() -> None:
    warm = [np.subtract(*_celsius("person", seed)) for seed in range(40)]
    assert np.mean(np.array(warm) > 0.5) > 0.7


def test_equal_draws_give_equal_frames() -> None:
    assert _celsius("lamp", 3) == _celsius("lamp", 3)
    assert _celsius("lamp", 3) != _celsius("lamp", 4)
