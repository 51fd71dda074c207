# SPDX-License-Identifier: Apache-2.0
"""Ground surfaces. Training floors and held-out floors are different groups, never mixed.

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
HELD_OUT_FLOORS = ("tiles", "carpet", "washboard", "gravel")
FLOOR_KINDS = TRAINING_FLOORS + HELD_OUT_FLOORS


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
    """Paving slabs of 60 to 120 cm with steps of up to 3 mm."""
    return _blocks(rng, int(rng.integers(30, 61)), rng.uniform(0.0, 0.003))


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
    "tiles": _tiles,
    "carpet": _carpet,
    "washboard": _washboard,
    "gravel": _gravel,
}
