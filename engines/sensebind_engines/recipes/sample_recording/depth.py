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
        grazing_deg: surfaces seen at a larger angle to their normal leave a hole; at 90 none do.
    """

    baseline_m: float = 0.050
    noise_px: float = 0.012
    step_px: float = 1.0 / 32.0
    near_m: float = 0.2
    far_m: float = 8.0
    edge_m: float = 0.25
    grazing_deg: float = 90.0


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
    hole = is_edge | _is_grazing(depth_m, focal_px, model.grazing_deg)
    hole |= (depth_m < model.near_m) | (depth_m > model.far_m) | (disparity <= 0.0)
    millimetres = np.clip(np.round(measured * 1000.0), 0, np.iinfo(np.uint16).max)
    return np.where(hole, 0, millimetres).astype(np.uint16)


def _is_grazing(
    depth_m: NDArray[np.float32], focal_px: float, largest_deg: float
) -> NDArray[np.bool_]:
    """Pixels [h, w] whose surface, by its neighbours, is seen at more than `largest_deg`."""
    if largest_deg >= 90.0:
        return np.zeros(depth_m.shape, dtype=np.bool_)
    height, width = depth_m.shape
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    ray = np.stack([columns - width / 2, rows - height / 2, np.full(rows.shape, focal_px)], axis=-1)
    points = depth_m[..., None].astype(np.float64) / focal_px * ray
    normal = np.cross(np.gradient(points, axis=1), np.gradient(points, axis=0))
    lengths = np.linalg.norm(normal, axis=-1) * np.linalg.norm(ray, axis=-1)
    cosine = np.abs((normal * ray).sum(axis=-1)) / np.maximum(lengths, np.finfo(np.float64).tiny)
    return np.asarray(cosine < np.cos(np.radians(largest_deg)))
