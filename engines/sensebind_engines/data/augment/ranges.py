# SPDX-License-Identifier: Apache-2.0
"""Depth and thermal frames with the faults of such cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind_engines.data.augment.config import DepthAugment, ThermalAugment

NO_MEASUREMENT = 0
"""REP 118: what integer depth has where nothing was measured; floats may have it or NaN."""


def augment_depth(
    pixels: NDArray[Any], metres_per_count: float, amount: DepthAugment, rng: np.random.Generator
) -> NDArray[Any]:
    """A changed copy of depth (h, w), same type; pixels without a measurement stay without.

    Args:
        pixels: integers in counts, or floats.
        metres_per_count: unit of a count.
        amount: how far.
        rng: draws everything.
    """
    depth_m = pixels.astype(np.float64) * metres_per_count
    measured = np.isfinite(depth_m) & (depth_m > 0)
    factor = 1.0 + amount.scale * rng.standard_normal()
    changed = depth_m * factor
    if amount.noise:
        changed += amount.noise * depth_m**2 * rng.standard_normal(pixels.shape)
    lost = _holes(pixels.shape, amount, rng)
    if amount.dropout:
        lost |= rng.random(pixels.shape) < amount.dropout
    return _as_stored(changed / metres_per_count, pixels, measured, lost)


def augment_thermal(
    pixels: NDArray[Any], amount: ThermalAugment, rng: np.random.Generator
) -> NDArray[Any]:
    """A changed copy of thermal values (h, w), same type."""
    values = pixels.astype(np.float64)
    measured = values[np.isfinite(values)]
    spread = float(np.ptp(measured)) if measured.size else 0.0
    change = np.full(pixels.shape, amount.offset * rng.standard_normal())
    if amount.columns:
        change += amount.columns * rng.standard_normal(pixels.shape[1])
    if amount.noise:
        change += amount.noise * rng.standard_normal(pixels.shape)
    return _rounded(values + spread * change, pixels.dtype)


def _holes(
    shape: tuple[int, ...], amount: DepthAugment, rng: np.random.Generator
) -> NDArray[np.bool_]:
    lost = np.zeros(shape, bool)
    for _ in range(amount.holes):
        height, width = (int(size * amount.hole_share * rng.random()) for size in shape)
        top, left = rng.integers(shape[0] - height + 1), rng.integers(shape[1] - width + 1)
        lost[top : top + height, left : left + width] = True
    return lost


def _as_stored(
    values: NDArray[np.float64],
    pixels: NDArray[Any],
    measured: NDArray[np.bool_],
    lost: NDArray[np.bool_],
) -> NDArray[Any]:
    """Values in the frame's own type; never a measurement that rounds to none, or back."""
    smallest = 1.0 if pixels.dtype.kind in "iu" else np.finfo(np.float32).tiny
    stored = _rounded(np.maximum(np.where(measured, values, smallest), smallest), pixels.dtype)
    stored = np.where(measured, stored, pixels)
    return np.where(lost, np.array(NO_MEASUREMENT, pixels.dtype), stored)


def _rounded(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind not in "iu":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.asarray(values.round().clip(limits.min, limits.max), dtype)
