# SPDX-License-Identifier: Apache-2.0
"""Shots of a cube on a stage: what is seen where, and at which distance."""

from __future__ import annotations

import numpy as np
import pytest

from sensebind_engines.recipes.object_scenes import stage as stages
from sensebind_engines.recipes.object_scenes.stage import open_stage, surface_pictures
from sensebind_engines.recipes.sample_recording.models3d import load_model
from tests.engines.recipes.sample_recording.fakes import model_library

pytest.importorskip("mujoco")

FLOOR, STAND = 0, 3


@pytest.mark.parametrize("side_cm", [8, 90])
def test_the_thing_is_before_its_surroundings(side_cm: int) -> None:
    model = load_model(model_library(("cube",), (side_cm, side_cm, side_cm)), "cube")
    rng = np.random.default_rng(0)
    with open_stage(model, surface_pictures(0)) as stage:
        shots = [stage.shoot(rng) for _ in range(4)]
    for colour, depth_m, surface, focal_px in shots:
        assert colour is not None
        assert colour.shape == (*stages.FRAME_PX, 3)
        thing = np.isin(surface, stage.parts)
        assert (0.02 if side_cm == 8 else 0.15) < thing[:, 40:280].mean() < 0.95
        distance_m = depth_m[thing].min()
        # What is side_cm wide covers about its focal length's share of the distance.
        wide_px = np.ptp(np.flatnonzero(thing.any(axis=0)))
        assert wide_px < 2.2 * side_cm / 100 * focal_px / distance_m
        assert (side_cm < 100 * stages.SMALL_M) == bool((surface == STAND).any())
        assert (depth_m[surface == FLOOR] > distance_m / 2).all()


def test_shots_differ_and_colour_may_be_left_out() -> None:
    model = load_model(model_library(("cube",), (50, 50, 50)), "cube")
    with open_stage(model, surface_pictures(0)) as stage:
        rng = np.random.default_rng(0)
        one, other = stage.shoot(rng), stage.shoot(rng, coloured=False)
    assert other.colour is None
    assert not np.array_equal(one.depth_m, other.depth_m)


def test_a_window_hangs_close_before_the_wall() -> None:
    model = load_model(model_library(("cube",), (80, 10, 100)), "cube")
    rng = np.random.default_rng(0)
    with open_stage(model, surface_pictures(0), 0.9, is_opening=True) as stage:
        shot = stage.shoot(rng)
        wall = stage._compiled.geom("wall").pos[1]
    assert 0.05 + stages.OPENING_GAP_M[0] <= wall <= 0.05 + stages.OPENING_GAP_M[1]
    assert not (shot.surface == STAND).any()
