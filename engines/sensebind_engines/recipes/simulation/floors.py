# SPDX-License-Identifier: Apache-2.0
"""Ground surfaces, in three groups that are never mixed: for training, for choices, held out.

Each kind has a fixed range of heights; whether driving on it counts as smooth or rough is not
decided here but measured from the ride (`labels`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, grey_dilation

FloatArray = NDArray[np.float64]

CELL_M = 0.02
_CELLS = 601
TRAINING_FLOORS = ("plane", "concrete", "wavy", "earth", "cobble", "slabs")
DEV_FLOORS = ("planks", "bricks", "grass")
HELD_OUT_FLOORS = ("tiles", "carpet", "washboard", "gravel", "sills", "ramps")
FLOOR_KINDS = TRAINING_FLOORS + DEV_FLOORS + HELD_OUT_FLOORS


@dataclass(frozen=True)
class Floor:
    """A ground surface: heights on a grid, flat at height 0 outside it.

    Attributes:
        kind: a name; one of `FLOOR_KINDS` for sampled floors.
        heights_m: (rows, columns) heights in metres, row along +y, column along +x, `CELL_M`
            apart; None is a perfect plane.
        centre_m: world x, y of the grid's centre.
    """

    kind: str
    heights_m: FloatArray | None = None
    centre_m: tuple[float, float] = (0.0, 0.0)

    @property
    def rms_height_m(self) -> float:
        """Root mean square height about the mean, metres."""
        return 0.0 if self.heights_m is None else float(self.heights_m.std())

    def rolled(self, radius_m: float) -> FloatArray:
        """Heights that a wheel of this radius follows, on the same grid.

        The wheel's centre follows the surface's outer offset (a dilation by a ball), less the
        radius; a blur of half a cell stands for the tyre's patch.
        """
        if self.heights_m is None:
            return np.zeros((4, 4))
        reach = int(radius_m / CELL_M)
        rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1] * CELL_M
        ball = np.sqrt(np.maximum(radius_m**2 - rows**2 - columns**2, 0.0)) - radius_m
        inside = rows**2 + columns**2 < radius_m**2
        follows = grey_dilation(self.heights_m, footprint=inside, structure=ball, mode="nearest")
        return np.asarray(gaussian_filter(follows, 0.5, mode="nearest"))


PLANE = Floor("plane")


def sample_floor(kind: str, rng: np.random.Generator) -> Floor:
    """A floor of 12 m x 12 m of the given kind with random heights about 0.

    Raises:
        ValueError: `kind` is not one of `FLOOR_KINDS`.
    """
    if kind not in FLOOR_KINDS:
        raise ValueError(f"unknown floor {kind!r}; expected one of {', '.join(FLOOR_KINDS)}")
    if kind == "plane":
        return PLANE
    heights = _SURFACES[kind](rng)
    return Floor(kind, heights - heights.mean())


def _concrete(rng: np.random.Generator) -> FloatArray:
    """Concrete: independent heights within 0.05 to 0.3 mm."""
    return rng.uniform(0.0, rng.uniform(5e-5, 3e-4), (_CELLS, _CELLS))


def _wavy(rng: np.random.Generator) -> FloatArray:
    """Worn ground: waves of about 1 to 2 m, 0.5 to 3 cm high, nothing shorter."""
    return noise_heights(rng, (_CELLS, _CELLS), rng.uniform(0.2, 0.4), rng.uniform(0.005, 0.03))


def _earth(rng: np.random.Generator) -> FloatArray:
    """Uneven earth: waves of about 10 to 30 cm, 2 to 8 cm from lowest to highest."""
    return noise_heights(rng, (_CELLS, _CELLS), rng.uniform(0.02, 0.045), rng.uniform(0.02, 0.08))


def _cobble(rng: np.random.Generator) -> FloatArray:
    """Square stones of 8 to 24 cm with steps of up to 0.8 to 3 cm."""
    return _blocks(rng, int(rng.integers(4, 13)), rng.uniform(0.008, 0.030))


def _slabs(rng: np.random.Generator) -> FloatArray:
    """Paving slabs of 60 to 120 cm with steps of up to 5 mm."""
    return _blocks(rng, int(rng.integers(30, 61)), rng.uniform(0.0, 0.005))


def _planks(rng: np.random.Generator) -> FloatArray:
    """Planks of 10 to 16 cm, up to 1 mm higher or lower, with gaps 2 cm wide and 1 to 3 mm deep."""
    pitch = int(rng.integers(5, 9))
    steps = rng.uniform(0.0, rng.uniform(0.0, 0.001), _CELLS // pitch + 1)
    rows = np.repeat(steps, pitch)[:_CELLS]
    rows[::pitch] -= rng.uniform(0.001, 0.003)
    return np.repeat(rows[:, None], _CELLS, axis=1)


def _bricks(rng: np.random.Generator) -> FloatArray:
    """Bricks of 10 cm x 20 cm, every second row shifted by half, with steps of up to 2 to 8 mm."""
    count = _CELLS // 5 + 2
    steps = rng.uniform(0.0, rng.uniform(0.002, 0.008), (count, count // 2 + 1))
    heights = steps.repeat(5, axis=0).repeat(10, axis=1)[:_CELLS, : _CELLS + 5]
    shifted = (np.arange(_CELLS) // 5 % 2 * 5)[:, None]
    return np.take_along_axis(heights, np.arange(_CELLS) + shifted, axis=1)


def _grass(rng: np.random.Generator) -> FloatArray:
    """Grass: tufts of about 10 cm, 3 to 15 mm, on waves of half a metre, 1 to 4 cm."""
    shape = (_CELLS, _CELLS)
    tufts = noise_heights(rng, shape, 0.025, rng.uniform(0.003, 0.015))
    return tufts + noise_heights(rng, shape, 0.12, rng.uniform(0.01, 0.04))


def _tiles(rng: np.random.Generator) -> FloatArray:
    """Tiles of 30 to 60 cm with joints 4 cm wide and 0.5 to 2 mm deep."""
    pitch = int(rng.integers(15, 31))
    heights = np.full((_CELLS, _CELLS), rng.uniform(0.0005, 0.002))
    for joint in (0, 1):
        heights[joint::pitch] = 0.0
        heights[:, joint::pitch] = 0.0
    return heights


def _carpet(rng: np.random.Generator) -> FloatArray:
    """Carpet: soft waves of about 30 to 60 cm, up to 3 mm."""
    return noise_heights(rng, (_CELLS, _CELLS), rng.uniform(0.06, 0.10), rng.uniform(0.001, 0.003))


def _washboard(rng: np.random.Generator) -> FloatArray:
    """Corrugated track: waves of 16 to 40 cm, 6 to 20 mm high, in one direction."""
    heading = rng.uniform(0.0, np.pi)
    rows, columns = np.mgrid[0:_CELLS, 0:_CELLS] * CELL_M
    along = columns * np.cos(heading) + rows * np.sin(heading)
    wave = np.sin(2.0 * np.pi * along / rng.uniform(0.16, 0.40))
    return np.asarray((1.0 + wave) * 0.5 * rng.uniform(0.006, 0.020))


def _gravel(rng: np.random.Generator) -> FloatArray:
    """Stones of 4 cm, up to 5 to 15 mm high, over a third of the ground."""
    count = _CELLS // 2 + 1
    stones = rng.uniform(0.0, 1.0, (count, count)) * (rng.random((count, count)) < 0.33)
    spread = np.kron(stones, np.ones((2, 2)))[:_CELLS, :_CELLS]
    return np.asarray(spread * rng.uniform(0.005, 0.015))


def _sills(rng: np.random.Generator) -> FloatArray:
    """Even ground with thresholds 4 to 10 cm wide and 3 to 12 mm high, 0.7 to 2 m apart."""
    heights = rng.uniform(0.0, 1e-4, (_CELLS, _CELLS))
    place = int(rng.integers(0, 50))
    while place < _CELLS:
        heights[:, place : place + int(rng.integers(2, 6))] += rng.uniform(0.003, 0.012)
        place += int(rng.integers(35, 101))
    return heights if rng.uniform() < 0.5 else heights.T


def _ramps(rng: np.random.Generator) -> FloatArray:
    """Ramps of 3 to 7 degrees up and down by 4 to 8 cm, with level ground between them."""
    height, profile = 0.0, [0.0]
    while len(profile) < _CELLS:
        top = rng.uniform(0.04, 0.08) if height == 0.0 else 0.0
        slope = np.tan(np.radians(rng.uniform(3.0, 7.0)))
        cells = max(2, round(abs(top - height) / slope / CELL_M))
        profile += np.linspace(height, top, cells + 1)[1:].tolist()
        profile += [top] * int(rng.integers(5, 60))
        height = top
    heights = np.repeat(np.array(profile[:_CELLS])[:, None], _CELLS, axis=1)
    return heights if rng.uniform() < 0.5 else heights.T


def noise_heights(
    rng: np.random.Generator, shape: tuple[int, int], sigma_m: float, height_m: float
) -> FloatArray:
    """Gaussian-filtered noise of blur `sigma_m`, scaled to `height_m` from lowest to highest."""
    smooth = gaussian_filter(rng.normal(size=shape), sigma_m / CELL_M)
    return np.asarray((smooth - smooth.min()) * (height_m / np.ptp(smooth)))


def _blocks(rng: np.random.Generator, cells: int, height_m: float) -> FloatArray:
    count = _CELLS // cells + 1
    steps = rng.uniform(0.0, height_m, (count, count))
    return np.asarray(np.kron(steps, np.ones((cells, cells)))[:_CELLS, :_CELLS])


_SURFACES = {
    "concrete": _concrete,
    "wavy": _wavy,
    "earth": _earth,
    "cobble": _cobble,
    "slabs": _slabs,
    "planks": _planks,
    "bricks": _bricks,
    "grass": _grass,
    "tiles": _tiles,
    "carpet": _carpet,
    "washboard": _washboard,
    "gravel": _gravel,
    "sills": _sills,
    "ramps": _ramps,
}
