# SPDX-License-Identifier: Apache-2.0
"""Walls as a depth camera of known errors sees them, on disk as 16-bit pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Values = NDArray[np.float64]

WIDTH, HEIGHT, FOCAL_PX = 160, 120, 140.0


def wall(
    distance_m: float, *, tilt: tuple[float, float] = (0.0, 0.0), focal_px: float = FOCAL_PX
) -> Values:
    """True depth (h, w) of a wall at a distance along its normal, tilted by angles in rad."""
    x, y = np.meshgrid(
        (np.arange(WIDTH) - (WIDTH - 1) / 2) / focal_px,
        (np.arange(HEIGHT) - (HEIGHT - 1) / 2) / focal_px,
    )
    normal = np.array([np.tan(tilt[0]), np.tan(tilt[1]), 1.0])
    normal /= np.linalg.norm(normal)
    return np.asarray(distance_m / (normal[0] * x + normal[1] * y + normal[2]))


def seen(
    rng: np.random.Generator,
    true_m: Values,
    frames: int,
    *,
    scale: float = 1.0,
    offset_m: float = 0.0,
    noise: float = 0.005,
) -> list[Values]:
    """Frames in metres of a camera whose calibration is `scale` and `offset_m`; its noise is a
    share of the squared depth, as a stereo camera's."""
    read = (true_m - offset_m) / scale
    return [read + rng.normal(0, 1, read.shape) * noise * read**2 for _ in range(frames)]


def pictures(folder: Path, frames: list[Values], *, per_metre: float = 1000.0) -> Path:
    """Write frames as a folder of 16-bit PNG files, 30 per second; 0 where NaN."""
    folder.mkdir()
    for number, depth_m in enumerate(frames):
        counts = np.rint(np.nan_to_num(depth_m) * per_metre).clip(0, 65535).astype(np.uint16)
        stamp_ns = 1_700_000_000 * 10**9 + number * 33_333_333
        Image.fromarray(counts).save(folder / f"{stamp_ns}.png")
    return folder
