# SPDX-License-Identifier: Apache-2.0
"""What the robot rolls on in the sample recording: a carpet, and a bed of gravel in it.

Both kinds are held out of training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sensebind_engines.recipes.simulation.floors import CELL_M, Floor, sample_floor

if TYPE_CHECKING:
    import mujoco

FloatArray = NDArray[np.float64]

BED_ASSET = "bed"
"""Name of the height field that shows the gravel."""

GRAVEL_KIND, CARPET_KIND = "gravel", "carpet"
GRAVEL_CENTRE_M = (3.6, -2.5)
GRAVEL_SIZE_M = (2.4, 3.6)
_TAPER_M = 0.1
BED_RANGE_M = 0.05
"""Height of the visible bed's full range."""

FLOOR_CENTRE_M, FLOOR_SIZE_M = (1.0, -3.8), (11.0, 11.8)
"""Where the floor's heights are modelled: wherever the robot's wheels touch it."""
_HIDDEN_GROUP = 4  # the renderer draws geom groups 0 to 2


def gravel_bed(rng: np.random.Generator) -> FloatArray:
    """A piece of a floor kind held out of training, levelled off at its edges: metres."""
    heights = sample_floor(GRAVEL_KIND, rng).heights_m
    assert heights is not None
    rows, columns = height_cells(GRAVEL_SIZE_M)
    bed = heights[:rows, :columns] - heights.min()
    down = np.minimum(np.arange(rows), np.arange(rows)[::-1])
    across = np.minimum(np.arange(columns), np.arange(columns)[::-1])
    edge_m = CELL_M * np.minimum(down[:, None], across[None, :])
    return np.asarray(bed * np.clip(edge_m / _TAPER_M, 0.0, 1.0))


def hall_floor(bed: FloatArray, rng: np.random.Generator) -> Floor:
    """Carpet with the gravel bed in it."""
    carpet = sample_floor(CARPET_KIND, rng).heights_m
    assert carpet is not None
    rows, columns = height_cells(FLOOR_SIZE_M)
    heights = carpet[:rows, :columns].copy()
    shift = np.subtract(GRAVEL_CENTRE_M, FLOOR_CENTRE_M) / CELL_M
    top = (rows - bed.shape[0]) // 2 + round(float(shift[1]))
    left = (columns - bed.shape[1]) // 2 + round(float(shift[0]))
    heights[top : top + bed.shape[0], left : left + bed.shape[1]] = bed
    return Floor(f"{CARPET_KIND} and {GRAVEL_KIND}", heights, FLOOR_CENTRE_M)


def show_gravel(model: mujoco.MjModel, bed: FloatArray) -> None:
    """Fill in the visible stones; the relief of the whole floor is too flat to be worth drawing."""
    model.geom("relief").group = _HIDDEN_GROUP
    begin = model.hfield_adr[model.hfield(BED_ASSET).id]
    model.hfield_data[begin : begin + bed.size] = (bed / BED_RANGE_M).ravel()


def height_cells(size_m: tuple[float, float]) -> tuple[int, int]:
    """Rows and columns of a height grid of this width and depth."""
    return round(size_m[1] / CELL_M), round(size_m[0] / CELL_M)
