# SPDX-License-Identifier: Apache-2.0
"""Ground surfaces. Training floors and held-out floors are different groups, never mixed.

Each kind has a fixed range of heights; whether driving on it counts as smooth or rough is not
decided here but measured from the ride (`labels.vertical_vibration_m_s2`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

EXTENT_M = 12.0
_CELLS = 300
CELL_M = EXTENT_M / _CELLS

TRAINING_FLOORS = ("plane", "micro", "wavy", "noise", "cobble", "slabs")
HELD_OUT_FLOORS = ("tiles", "carpet", "washboard", "gravel")
FLOOR_KINDS = TRAINING_FLOORS + HELD_OUT_FLOORS


@dataclass(frozen=True)
class Floor:
    """A ground surface.

    Attributes:
        kind: one of `FLOOR_KINDS`.
        heights_m: (300, 300) heights in metres over 12 m x 12 m centred on the origin; None is a
            perfect plane without bounds.
    """

    kind: str
    heights_m: NDArray[np.float64] | None = None

    @property
    def top_m(self) -> float:
        """Highest point, metres."""
        return 0.0 if self.heights_m is None else float(self.heights_m.max())

    @property
    def rms_height_m(self) -> float:
        """Root mean square height about the mean, metres."""
        return 0.0 if self.heights_m is None else float(self.heights_m.std())

    def named_heights_m(self) -> dict[str, NDArray[np.float64]]:
        """Height field by MJCF name, as `Scene.heights_m` has them."""
        return {} if self.heights_m is None else {"floor": self.heights_m}

    def asset_xml(self) -> str:
        """MJCF of the height field, '' for a plane."""
        if self.heights_m is None:
            return ""
        half_m = EXTENT_M / 2
        return (
            f'<hfield name="floor" nrow="{_CELLS}" ncol="{_CELLS}" '
            f'size="{half_m} {half_m} {self.top_m} .05"/>'
        )

    def geom_xml(self, friction: float, material: str) -> str:
        """MJCF of the floor."""
        paint = f'material="{material}"' if material else 'rgba=".5 .5 .5 1"'
        shape = 'type="plane" size="30 30 .1"' if self.heights_m is None else (
            'type="hfield" hfield="floor"'
        )
        return f'<geom name="floor" {shape} {paint} friction="{friction} .005 .0001"/>'


PLANE = Floor("plane")


def sample_floor(kind: str, rng: np.random.Generator) -> Floor:
    """A floor of the given kind with random heights.

    Raises:
        ValueError: `kind` is not one of `FLOOR_KINDS`.
    """
    if kind not in FLOOR_KINDS:
        raise ValueError(f"unknown floor {kind!r}; expected one of {', '.join(FLOOR_KINDS)}")
    if kind == "plane":
        return PLANE
    heights = _SURFACES[kind](rng)
    return Floor(kind, heights - heights.min())


def _micro(rng: np.random.Generator) -> NDArray[np.float64]:
    """Concrete: independent heights below 1 mm."""
    return rng.uniform(0.0, rng.uniform(3e-4, 1e-3), (_CELLS, _CELLS))


def _wavy(rng: np.random.Generator) -> NDArray[np.float64]:
    """Worn ground: long waves of up to 2 cm, no short ones."""
    return _filtered_noise(rng, rng.uniform(6.0, 12.0), rng.uniform(0.005, 0.02))


def _noise(rng: np.random.Generator) -> NDArray[np.float64]:
    """Uneven earth: waves of 10 to 30 cm, 1 to 6 cm high."""
    return _filtered_noise(rng, rng.uniform(0.8, 2.0), rng.uniform(0.010, 0.060))


def _cobble(rng: np.random.Generator) -> NDArray[np.float64]:
    """Square stones of 20 to 40 cm with steps of up to 2 cm."""
    return _blocks(rng, int(rng.integers(5, 11)), rng.uniform(0.004, 0.020))


def _slabs(rng: np.random.Generator) -> NDArray[np.float64]:
    """Paving slabs of 60 to 120 cm with steps of up to 4 mm."""
    return _blocks(rng, int(rng.integers(15, 31)), rng.uniform(0.0, 0.004))


def _tiles(rng: np.random.Generator) -> NDArray[np.float64]:
    """Tiles of 30 to 60 cm with sunken joints 1 to 2 mm deep."""
    pitch = int(rng.integers(8, 16))
    heights = np.full((_CELLS, _CELLS), rng.uniform(0.001, 0.002))
    heights[::pitch] = 0.0
    heights[:, ::pitch] = 0.0
    return heights


def _carpet(rng: np.random.Generator) -> NDArray[np.float64]:
    """Carpet: soft waves of up to 3 mm, 20 to 40 cm long."""
    return _filtered_noise(rng, rng.uniform(2.0, 4.0), rng.uniform(0.001, 0.003))


def _washboard(rng: np.random.Generator) -> NDArray[np.float64]:
    """Corrugated track: waves of 16 to 40 cm, 8 to 20 mm high, in one direction."""
    heading = rng.uniform(0.0, np.pi)
    rows, columns = np.mgrid[0:_CELLS, 0:_CELLS] * CELL_M
    along = columns * np.cos(heading) + rows * np.sin(heading)
    wave = np.sin(2.0 * np.pi * along / rng.uniform(0.16, 0.40))
    return np.asarray((1.0 + wave) * 0.5 * rng.uniform(0.008, 0.020))


def _gravel(rng: np.random.Generator) -> NDArray[np.float64]:
    """Stones of one cell (4 cm), 5 to 15 mm, over a third of the ground."""
    stones = rng.uniform(0.0, 1.0, (_CELLS, _CELLS)) * (rng.random((_CELLS, _CELLS)) < 0.33)
    return np.asarray(stones * rng.uniform(0.005, 0.015))


def _filtered_noise(
    rng: np.random.Generator, sigma_cells: float, height_m: float
) -> NDArray[np.float64]:
    smooth = gaussian_filter(rng.normal(size=(_CELLS, _CELLS)), sigma_cells)
    return np.asarray((smooth - smooth.min()) * (height_m / np.ptp(smooth)))


def _blocks(rng: np.random.Generator, cells: int, height_m: float) -> NDArray[np.float64]:
    count = _CELLS // cells + 1
    steps = rng.uniform(0.0, height_m, (count, count))
    return np.kron(steps, np.ones((cells, cells)))[:_CELLS, :_CELLS]


_SURFACES = {
    "micro": _micro,
    "wavy": _wavy,
    "noise": _noise,
    "cobble": _cobble,
    "slabs": _slabs,
    "tiles": _tiles,
    "carpet": _carpet,
    "washboard": _washboard,
    "gravel": _gravel,
}
