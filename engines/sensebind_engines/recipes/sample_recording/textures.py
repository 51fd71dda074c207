# SPDX-License-Identifier: Apache-2.0
"""Procedural surface textures of the simulated hall, as PNG bytes (no downloaded images)."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FloatArray = NDArray[np.float64]

_SIZE_PX = 512


def to_png(colour: FloatArray) -> bytes:
    """Encode float64 [h, w, 3] of 0..1 as PNG."""
    buffer = io.BytesIO()
    pixels = np.clip(np.round(colour * 255.0), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def planks(rng: np.random.Generator) -> FloatArray:
    """Oak boards, eight across, each with its own tone, grain and staggered joints."""
    rows, columns = np.mgrid[0:_SIZE_PX, 0:_SIZE_PX]
    board = rows * 8 // _SIZE_PX
    start = rng.integers(0, _SIZE_PX, 8)[board]
    half = ((columns - start) % _SIZE_PX) * 2 // _SIZE_PX
    tone = rng.uniform(0.86, 1.08, (8, 2))[board, half]
    grain = _tiled_noise(rng, (1.0, 24.0)) * 0.10 + _tiled_noise(rng, (3.0, 90.0)) * 0.10
    seam = (rows % (_SIZE_PX // 8) < 2) | ((columns - start) % (_SIZE_PX // 2) < 2)
    brightness = tone * (1.0 + grain) * np.where(seam, 0.62, 1.0)
    return np.asarray(brightness[..., None] * np.array([0.60, 0.45, 0.31]))


def plaster(rng: np.random.Generator, rgb: tuple[float, float, float]) -> FloatArray:
    """Painted wall: faint roller marks and clouds."""
    marks = _tiled_noise(rng, (2.0, 2.0)) * 0.015 + _tiled_noise(rng, (60.0, 60.0)) * 0.02
    return np.asarray((1.0 + marks)[..., None] * np.array(rgb))


def gravel(rng: np.random.Generator) -> FloatArray:
    """Grey and brown stones."""
    coarse, fine = _tiled_noise(rng, (7.0, 7.0)), _tiled_noise(rng, (1.5, 1.5))
    warm = _tiled_noise(rng, (16.0, 16.0))
    brightness = 0.46 + 0.11 * coarse + 0.06 * fine
    tint = np.stack([1.0 + 0.06 * warm, np.ones_like(warm), 1.0 - 0.08 * warm], axis=-1)
    return np.asarray(brightness[..., None] * tint)


def rug(rng: np.random.Generator) -> FloatArray:
    """Woven rug: a framed field of lozenges."""
    rows, columns = (np.mgrid[0:_SIZE_PX, 0:_SIZE_PX] + 0.5) / _SIZE_PX
    edge = np.minimum.reduce([rows, 1.0 - rows, columns, 1.0 - columns])
    lozenge = (np.abs((rows * 7.0) % 1.0 - 0.5) + np.abs((columns * 7.0) % 1.0 - 0.5)) < 0.32
    colour = np.where(lozenge[..., None], [0.72, 0.63, 0.49], [0.28, 0.33, 0.42])
    frame = (edge < 0.09) & (edge > 0.055)
    colour = np.where(frame[..., None], [0.72, 0.63, 0.49], colour)
    colour = np.where((edge < 0.055)[..., None], [0.22, 0.25, 0.32], colour)
    return np.asarray(colour * (1.0 + 0.07 * _tiled_noise(rng, (1.0, 1.0)))[..., None])


def landscape(rng: np.random.Generator) -> FloatArray:
    """The view out of a window, and the picture on a wall: sky over rolling hills."""
    height = np.linspace(0.0, 1.0, _SIZE_PX)[:, None]
    sky = np.stack([0.62 + 0.30 * height, 0.78 + 0.16 * height, 0.95 + 0.0 * height], axis=-1)
    colour = np.repeat(sky, _SIZE_PX, axis=1)
    along = np.linspace(0.0, 2.0 * np.pi, _SIZE_PX)
    for level, green in ((0.55, 0.60), (0.68, 0.48), (0.82, 0.36)):
        skyline = np.full(_SIZE_PX, level)
        for order in (1, 2, 3):
            skyline += rng.uniform(0.01, 0.04) * np.sin(order * along + rng.uniform(0, 6))
        hill = height > skyline
        colour = np.where(hill[..., None], [0.55 * green, green, 0.45 * green], colour)
    return np.asarray(colour)


def _tiled_noise(rng: np.random.Generator, sigma_px: tuple[float, float]) -> FloatArray:
    """Gaussian-filtered noise of unit variance that tiles without a seam."""
    spectrum = np.fft.fft2(rng.normal(size=(_SIZE_PX, _SIZE_PX)))
    rows = np.fft.fftfreq(_SIZE_PX)[:, None] * sigma_px[0]
    columns = np.fft.fftfreq(_SIZE_PX)[None, :] * sigma_px[1]
    smooth = np.fft.ifft2(spectrum * np.exp(-2.0 * np.pi**2 * (rows**2 + columns**2))).real
    return np.asarray((smooth - smooth.mean()) / smooth.std())
