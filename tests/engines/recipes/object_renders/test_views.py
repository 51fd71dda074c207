# SPDX-License-Identifier: Apache-2.0
"""Views of a cube: colour and depth of the same thing, in metres."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sensebind_engines.recipes.object_renders.views import FILL, FOVY_DEG, SIDE_PX, render_views
from sensebind_engines.recipes.sample_recording.models3d import load_model
from tests.engines.recipes.sample_recording.fakes import model_library

pytest.importorskip("mujoco")


@pytest.mark.parametrize("side_cm", [8, 300])
def test_depth_is_of_what_is_seen(side_cm: int) -> None:
    model = load_model(model_library(("cube",), (side_cm, side_cm, side_cm)), "cube")
    views = render_views(model, 2, np.random.default_rng(0))
    assert not np.array_equal(views[0].colour, views[1].colour)
    side_m = side_cm / 100
    radius_m = side_m * math.sqrt(3) / 2
    nearest_m = radius_m / math.sin(math.radians(FOVY_DEG / 2)) / FILL[1] - radius_m
    for colour, depth_m, focal_px in views:
        assert colour.shape == (SIDE_PX, SIDE_PX, 3)
        assert focal_px == pytest.approx(SIDE_PX / 2 / math.tan(math.radians(FOVY_DEG / 2)))
        seen = depth_m > 0
        # White is the sky, and the model has no white.
        assert np.mean(seen == (colour.min(axis=2) < 250)) > 0.99
        assert not seen[0].any()
        assert not seen[:, 0].any()
        assert seen.mean() > 0.05
        assert depth_m[seen].min() > nearest_m
        assert np.ptp(depth_m[seen]) < 2 * radius_m
