# SPDX-License-Identifier: Apache-2.0
"""Cameras: how much of the frame a box takes, and where they may stand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sensebind_engines.recipes.object_scenes import camera as cameras
from sensebind_engines.recipes.object_scenes.camera import Camera, draw_camera


def _projected(camera: Camera, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the half frame (n, 2) and distances along the optical axis (n,), step by step."""
    turn, tilt = math.radians(camera.azimuth_deg), math.radians(camera.elevation_deg)
    forward = np.array(
        [math.cos(tilt) * math.cos(turn), math.cos(tilt) * math.sin(turn), math.sin(tilt)]
    )
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    place = camera.target_m - camera.distance_m * forward
    offset = corners - place
    ahead = offset @ forward
    half = ahead * math.tan(math.radians(camera.fovy_deg / 2))
    sides = np.stack([offset @ right, offset @ np.cross(right, forward)], axis=1)
    return sides / half[:, None], ahead


def _corners(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1])
                     for z in (low[2], high[2])])  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_a_chair_fills_the_frame(seed: int) -> None:
    low, high = np.array([-0.25, -0.25, 0.0]), np.array([0.25, 0.25, 0.9])
    camera = draw_camera(low, high, np.random.default_rng(seed))
    shares, ahead = _projected(camera, _corners(low, high))
    assert cameras.FILL[0] - 1e-6 <= np.abs(shares).max() <= cameras.FILL[1] + 1e-6
    assert ahead.min() >= cameras.NEAREST_M - 1e-6


@pytest.mark.parametrize("side_m", [0.05, 1.0, 12.0])
def test_cameras_keep_their_distance(side_m: float) -> None:
    low = np.array([-side_m / 2, -side_m / 2, 0.5])
    high = low + side_m
    for seed in range(20):
        camera = draw_camera(low, high, np.random.default_rng(seed))
        _, ahead = _projected(camera, _corners(low, high))
        assert ahead.min() >= cameras.NEAREST_M - 1e-6
        if side_m < cameras.FURTHEST_M / 2:
            assert camera.distance_m <= cameras.FURTHEST_M


def test_no_camera_is_under_the_floor() -> None:
    low, high = np.array([-0.3, -0.1, 0.9]), np.array([0.3, 0.1, 2.1])
    for seed in range(50):
        camera = draw_camera(low, high, np.random.default_rng(seed), hangs=True)
        tilt = math.radians(camera.elevation_deg)
        height_m = camera.target_m[2] - camera.distance_m * math.sin(tilt)
        assert height_m >= cameras.LOWEST_M - 1e-9


def test_focal_length_is_that_of_the_field_of_view() -> None:
    camera = Camera(np.zeros(3), 1.0, 90.0, 0.0, 90.0)
    assert camera.focal_px(240) == pytest.approx(120.0)
