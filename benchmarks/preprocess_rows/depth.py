# SPDX-License-Identifier: Apache-2.0
"""Depth: 640 x 480 uint16 millimetres to 1 x 224 x 224 float32 normalised disparities.

Everybody crops the middle of a picture whose short side is 224, clips to 0.01 to 10 m and makes
holes 0 before the normalisation. The peers average holes as disparity 0, because neither library
knows holes; leaving them out of the mean is work that only ours does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from benchmarks.preprocess_rows.base import Row
from sensebind.preprocess import depth_features
from sensebind.specs import DepthSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = 224
WIDTH = 298  # of the resized picture, by torchvision's rule
LEFT = (WIDTH - SIZE) // 2
FOCAL_PX = 518.86  # fx of the Kinect v1 in SUN RGB-D
SPEC = DepthSpec(
    size=SIZE,
    representation="disparity",
    mean=0.0418,
    std=0.0295,
    range_m=(0.01, 10.0),
    out_of_range="clip",
    focal_px=FOCAL_PX,
)
MEAN, STD = np.float32(SPEC.mean), np.float32(SPEC.std)
BASELINE = np.float32(SPEC.baseline_m * FOCAL_PX)
NEAR, FAR = (np.float32(limit) for limit in SPEC.range_m)


def room(height: int = 480, width: int = 640) -> NDArray[np.uint16]:
    """Millimetres of a made-up room with noise and holes of many pixels, about 7 %."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:height, 0:width]
    depth = 1500 + 1000 * np.sin(x / 90) + 800 * np.cos(y / 70)
    depth += rng.normal(0, 5, depth.shape)
    holes = rng.random((-(-height // 16), -(-width // 16))) < 0.07
    depth[holes.repeat(16, 0)[:height].repeat(16, 1)[:, :width]] = 0
    pixels: NDArray[np.uint16] = depth.clip(0, 65535).astype(np.uint16)
    return pixels


def rows() -> list[Row]:
    """Rows of this front end."""
    import cv2
    import torch
    from torchvision.transforms import functional

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    depth = room()
    nearest = msgspec.structs.replace(SPEC, interpolation="nearest")
    out = np.empty((1, SIZE, SIZE), dtype=np.float32)
    mean, std = [SPEC.mean], [SPEC.std]

    def disparities(pixels: NDArray[np.uint16]) -> NDArray[np.float32]:
        metres = pixels.astype(np.float32) * np.float32(0.001)
        clipped = np.clip(metres, NEAR, FAR)
        values: NDArray[np.float32] = np.where(metres > 0, BASELINE / clipped, np.float32(0))
        return values

    def normalised(values: NDArray[np.float32]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = ((values[:, LEFT : LEFT + SIZE] - MEAN) / STD)[np.newaxis]
        return result

    def with_cv2() -> NDArray[np.float32]:
        values = disparities(depth)
        return normalised(cv2.resize(values, (WIDTH, SIZE), interpolation=cv2.INTER_LINEAR))

    def with_cv2_nearest() -> NDArray[np.float32]:
        pixels = cv2.resize(depth, (WIDTH, SIZE), interpolation=cv2.INTER_NEAREST)
        return normalised(disparities(pixels))

    def with_torchvision() -> Any:  # noqa: ANN401 -- a tensor
        metres = torch.from_numpy(depth.astype(np.float32)).mul(0.001)[None]
        clipped = metres.clamp(float(NEAR), float(FAR))
        values = torch.where(metres > 0, float(BASELINE) / clipped, torch.zeros(()))
        values = functional.resize(values, [SIZE], antialias=True)
        return functional.normalize(functional.center_crop(values, [SIZE]), mean, std)

    return [
        Row(
            "depth bilinear vs cv2",
            5.0,
            "higher",
            lambda: depth_features(depth, SPEC, out=out),
            with_cv2,
            "cv2 computes all pixels' disparities, then resizes; it averages holes as 0",
        ),
        Row(
            "depth bilinear vs torchvision",
            15.0,
            "higher",
            lambda: depth_features(depth, SPEC, out=out),
            with_torchvision,
            "torchvision's resize with antialias, its default; it averages holes as 0",
        ),
        Row(
            "depth nearest vs cv2",
            4.0,
            "higher",
            lambda: depth_features(depth, nearest, out=out),
            with_cv2_nearest,
            "cv2 resizes the counts, then NumPy makes disparities of what is left",
        ),
    ]
