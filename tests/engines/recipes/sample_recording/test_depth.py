# SPDX-License-Identifier: Apache-2.0
"""The stereo depth model against its closed form."""

from __future__ import annotations

import numpy as np
import pytest

from sensebind_engines.recipes.sample_recording.depth import StereoModel, stereo_depth_mm

FOCAL_PX = 128.0
QUIET = StereoModel(noise_px=0.0)


def _measure(depth_m: np.ndarray, model: StereoModel) -> np.ndarray:
    return stereo_depth_mm(depth_m.astype(np.float32), FOCAL_PX, model, np.random.default_rng(0))


@pytest.mark.parametrize("disparity_px", [1.0, 2.5, 8.0, 25.59375])
def test_disparities_on_the_grid_are_exact(disparity_px: float) -> None:
    depth_m = FOCAL_PX * QUIET.baseline_m / disparity_px
    measured = _measure(np.full((4, 6), depth_m), QUIET)
    assert measured.dtype == np.uint16
    assert (measured == round(depth_m * 1000.0)).all()


def test_quantisation_is_at_most_half_a_step() -> None:
    depth_m = np.linspace(0.3, 7.5, 500)[None].repeat(2, axis=0)
    measured_m = _measure(depth_m, QUIET) / 1000.0
    scale = FOCAL_PX * QUIET.baseline_m
    error_px = np.abs(scale / measured_m - scale / depth_m)
    rounding_px = scale / measured_m**2 * 0.5e-3  # millimetres
    assert (error_px <= QUIET.step_px / 2 + rounding_px + 1e-9).all()


def test_noise_grows_with_the_square_of_the_distance() -> None:
    model = StereoModel(noise_px=0.05, step_px=1e-6)
    for depth_m in (1.0, 2.0, 4.0):
        spread_m = _measure(np.full((200, 200), depth_m), model).std() / 1000.0
        expected_m = depth_m**2 * model.noise_px / (FOCAL_PX * model.baseline_m)
        assert spread_m == pytest.approx(expected_m, rel=0.05)


def test_holes_outside_the_range_and_at_edges() -> None:
    depth_m = np.full((3, 8), 2.0)
    depth_m[0, 0] = 0.1
    depth_m[1, 0] = 9.0
    depth_m[2, 4:] = 3.0
    measured = _measure(depth_m, StereoModel(noise_px=0.0, edge_m=0.4))
    assert measured[0, 0] == 0
    assert measured[1, 0] == 0
    assert (measured[2, 3:5] == 0).all()
    assert (measured[2, [0, 1, 2, 5, 6, 7]] > 0).all()


def test_holes_where_a_surface_is_seen_at_a_grazing_angle() -> None:
    rows = np.abs(np.arange(120) + 0.5 - 60.0)
    depth_m = np.repeat((0.5 * FOCAL_PX / rows)[:, None], 160, axis=1)  # floor and ceiling at 0.5 m
    measured = _measure(depth_m, StereoModel(noise_px=0.0, far_m=200.0, grazing_deg=80.0))
    angle_deg = 90.0 - np.degrees(np.arctan2(rows, FOCAL_PX))
    is_clear = np.abs(angle_deg - 80.0) > 0.5
    assert ((measured[:, 80] == 0) == (angle_deg > 80.0))[is_clear].all()
    assert (_measure(depth_m, StereoModel(noise_px=0.0, far_m=200.0))[[0, -1]] > 0).all()
