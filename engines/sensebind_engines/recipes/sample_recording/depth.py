# SPDX-License-Identifier: Apache-2.0
"""What a small stereo camera reports of a true depth image: its noise, steps and holes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class StereoModel:
    """An active-stereo depth camera; the defaults are a D435-like one (50 mm baseline).

    Attributes:
        baseline_m: distance between the two imagers.
        noise_px: standard deviation of the disparity.
        step_px: quantisation of the disparity (1/32 pixel).
        near_m, far_m: measurable range.
        edge_m: a horizontal depth step above this leaves a hole (half-occluded pixels).
    """

    baseline_m: float = 0.050
    noise_px: float = 0.012
    step_px: float = 1.0 / 32.0
    near_m: float = 0.2
    far_m: float = 8.0
    edge_m: float = 0.25


def stereo_depth_mm(
    depth_m: NDArray[np.float32], focal_px: float, model: StereoModel, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Measure true z-depth.

    Args:
        depth_m: [h, w] true distance along the optical axis, metres.
        focal_px: focal length in pixels of this image.
        model: the camera.
        rng: draws the disparity noise.

    Returns:
        uint16 [h, w] millimetres; 0 where nothing is measured (as REP 118 has it for 16UC1).
    """
    scale = focal_px * model.baseline_m
    true = scale / np.maximum(depth_m.astype(np.float64), 1e-6)
    noisy = true + rng.normal(0.0, model.noise_px, true.shape)
    disparity = np.round(noisy / model.step_px) * model.step_px
    measured = scale / np.maximum(disparity, model.step_px / 2)
    is_edge = np.abs(np.gradient(depth_m.astype(np.float64), axis=1)) > model.edge_m
    hole = is_edge | (depth_m < model.near_m) | (depth_m > model.far_m) | (disparity <= 0.0)
    millimetres = np.clip(np.round(measured * 1000.0), 0, np.iinfo(np.uint16).max)
    return np.where(hole, 0, millimetres).astype(np.uint16)
