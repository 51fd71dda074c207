# SPDX-License-Identifier: Apache-2.0
"""SIMULATED thermal frames: a temperature per part of the scene, seen by a small microbolometer.

There is no thermal camera behind any of this. The temperatures below were written down from
everyday experience before anything was trained on them and fitted to no measurement. They overlap
on purpose: most things have nearly the room's temperature most of the time, every class can have
it, and no temperature is of one class. How far temperatures alone go is what the baseline of the
recipe's figures tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

FRAME_PX = (60, 80)
"""Height and width, those of a FLIR Lepton 2."""

AIR_C = (15.0, 29.0)
SURFACE_SPREAD_C = 0.8
"""Standard deviation of walls, floors and idle things about the air's temperature."""
PATCH_SPREAD_C = 0.25
"""Standard deviation of what varies smoothly over a surface."""
PATCH_PX = 12
SKY_BELOW_AIR_C = (5.0, 25.0)
EMISSIVITY = (0.85, 0.98)
METAL_SHARE = 0.1
METAL_EMISSIVITY = (0.15, 0.5)
"""A tenth of the parts are bare metal, which mirrors the room."""
LOSS_C_PER_M = 0.15
FURTHEST_LOSS_M = 20.0
NOISE_C = 0.05
"""Standard deviation per pixel: the sensitivity that makers of such cameras state."""
COLUMN_NOISE_C = 0.04
OFFSET_C = 0.5
"""Standard deviation of the whole frame between two corrections."""


class Warmth(NamedTuple):
    """One way a thing can be: how often, and by how much it differs from the air.

    Attributes:
        share: of the scenes.
        excess_c: range of the difference; or, with `is_absolute`, of the temperature itself.
        parts: share of its parts that have it, at least one; the others are idle.
        is_absolute: living things keep a temperature of their own.
    """

    share: float
    excess_c: tuple[float, float]
    parts: float = 1.0
    is_absolute: bool = False


WARMTH: dict[str, tuple[Warmth, ...]] = {
    "animal": (Warmth(0.65, (24.0, 34.0), is_absolute=True),),
    "bed": (Warmth(0.25, (0.5, 6.0), parts=0.5),),
    "cabinet": (Warmth(0.15, (1.0, 8.0)),),
    "car": (Warmth(0.6, (2.0, 30.0), parts=0.4),),
    "chair": (Warmth(0.25, (0.5, 6.0), parts=0.5),),
    "cup or bowl": (Warmth(0.3, (5.0, 40.0)), Warmth(0.2, (-15.0, -3.0))),
    "door": (Warmth(0.5, (-8.0, 6.0)),),
    "lamp": (Warmth(0.5, (3.0, 45.0), parts=0.3),),
    "person": (Warmth(1.0, (25.0, 34.0), is_absolute=True),),
    "plant": (Warmth(0.6, (-2.5, 0.0)),),
    "sofa": (Warmth(0.3, (0.5, 6.0), parts=0.5),),
    "table": (Warmth(0.15, (1.0, 10.0), parts=0.5),),
    "window": (Warmth(0.6, (-10.0, 6.0)),),
}
"""What is not covered by a class's shares is idle."""


def thermal_centikelvin(
    surface: Ints,
    depth_m: NDArray[np.floating[Any]],
    label: str,
    parts: Sequence[int],
    rng: np.random.Generator,
) -> NDArray[np.uint16]:
    """What a thermal camera would report of a scene.

    Args:
        surface: int64 [h, w], the geometry seen in each pixel, -1 for the sky; the sides are whole
            multiples of `FRAME_PX`.
        depth_m: [h, w] distance in metres.
        label: the class of the thing.
        parts: which numbers of `surface` are the thing's; all others are surroundings.
        rng: draws the temperatures and the noise.

    Returns:
        uint16 [60, 80], hundredths of a kelvin.
    """
    air = rng.uniform(*AIR_C)
    names = np.unique(surface)
    own = dict(zip(parts, part_temperatures_c(label, len(parts), air, rng), strict=True))
    own[-1] = air - rng.uniform(*SKY_BELOW_AIR_C)
    around = air + rng.normal(0.0, SURFACE_SPREAD_C, len(names))
    values = np.array([own.get(int(n), around[i]) for i, n in enumerate(names)])
    return measured_centikelvin(values[np.searchsorted(names, surface)], depth_m, rng)


def measured_centikelvin(
    seen_c: Floats, depth_m: NDArray[np.floating[Any]], rng: np.random.Generator
) -> NDArray[np.uint16]:
    """The camera's frame of apparent temperatures [h, w] at distances [h, w]: uint16 [60, 80].

    The sides are whole multiples of `FRAME_PX`; the rest is as of `thermal_centikelvin`.
    """
    loss = LOSS_C_PER_M * np.minimum(depth_m, FURTHEST_LOSS_M)
    return _measured(_binned(seen_c - loss), rng)


def part_temperatures_c(label: str, count: int, air: float, rng: np.random.Generator) -> Floats:
    """Apparent temperature of each of a thing's parts (count,) at an air temperature."""
    true = air + rng.normal(0.0, SURFACE_SPREAD_C) + rng.normal(0.0, SURFACE_SPREAD_C / 2, count)
    chosen = rng.uniform()
    for warmth in WARMTH[label]:
        if chosen < warmth.share:
            warm = rng.permutation(count)[: max(1, round(warmth.parts * count))]
            base = 0.0 if warmth.is_absolute else air
            level = base + rng.uniform(*warmth.excess_c)
            true[warm] = level + rng.normal(0.0, SURFACE_SPREAD_C, len(warm))
            break
        chosen -= warmth.share
    is_metal = rng.uniform(size=count) < METAL_SHARE
    emissivity = np.where(
        is_metal, rng.uniform(*METAL_EMISSIVITY, count), rng.uniform(*EMISSIVITY, count)
    )
    return np.asarray(emissivity * true + (1.0 - emissivity) * air)


def _binned(seen: Floats) -> Floats:
    """The mean of each pixel's share of a finer picture."""
    height, width = FRAME_PX
    down, across = seen.shape[0] // height, seen.shape[1] // width
    return np.asarray(seen.reshape(height, down, width, across).mean(axis=(1, 3)))


def _measured(true_c: Floats, rng: np.random.Generator) -> NDArray[np.uint16]:
    noisy = true_c + _patches(true_c.shape, rng) + rng.normal(0.0, NOISE_C, true_c.shape)
    noisy += rng.normal(0.0, COLUMN_NOISE_C, (1, true_c.shape[1])) + rng.normal(0.0, OFFSET_C)
    return np.clip(np.round((noisy + 273.15) * 100.0), 0, 65535).astype(np.uint16)


def _patches(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Smooth variation over the frame: a coarse grid of random values, interpolated."""
    coarse = rng.normal(0.0, PATCH_SPREAD_C, [side // PATCH_PX + 2 for side in shape])
    rows, columns = (np.arange(side) / PATCH_PX for side in shape)
    top, left = rows.astype(int), columns.astype(int)
    down, across = (rows - top)[:, None], (columns - left)[None]
    upper = coarse[top][:, left] * (1 - across) + coarse[top][:, left + 1] * across
    lower = coarse[top + 1][:, left] * (1 - across) + coarse[top + 1][:, left + 1] * across
    return np.asarray(upper * (1 - down) + lower * down)
