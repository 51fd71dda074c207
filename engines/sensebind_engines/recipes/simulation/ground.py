# SPDX-License-Identifier: Apache-2.0
"""Contact of wheels and caster with uneven ground, without the chatter of mesh contacts.

MuJoCo's height fields collide triangle by triangle; the number of contacts under a wheel jumps as
it rolls, and with it the ground's stiffness: a perfectly flat height field shook the chassis by
0.7 m/s^2. So each rolling part has a plane of its own, laid every step tangent to the surface that
part follows (`Floor.rolled`): one contact, smooth, with the right height and slope.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensebind_engines.recipes.simulation.floors import CELL_M, Floor

if TYPE_CHECKING:
    import mujoco

FloatArray = NDArray[np.float64]

ROLLING_PARTS = ("left", "right", "caster")


class Ground:
    """Keeps the planes under the rolling parts of one model.

    Args:
        model: the compiled world; has mocap bodies `ground_<part>` and geoms `roll_<part>`.
        floor: the surface.
    """

    def __init__(self, model: mujoco.MjModel, floor: Floor) -> None:
        geoms = [model.geom(f"roll_{part}") for part in ROLLING_PARTS]
        self._geoms = np.array([geom.id for geom in geoms])
        self._pads = np.array([model.body(f"ground_{part}").mocapid[0] for part in ROLLING_PARTS])
        self._flat = floor.heights_m is None
        surfaces = [floor.rolled(float(geom.size[0])) for geom in geoms]
        self._surfaces = np.stack(surfaces)
        rows, columns = surfaces[0].shape
        self._corner_m = np.array(
            [
                floor.centre_m[0] - (columns - 1) / 2 * CELL_M,
                floor.centre_m[1] - (rows - 1) / 2 * CELL_M,
            ]
        )

    def lay(self, data: mujoco.MjData) -> None:
        """Move each plane under its part; call before every step."""
        if not self._flat:
            _lay_planes(
                self._surfaces,
                self._corner_m,
                data.geom_xpos,
                self._geoms,
                self._pads,
                data.mocap_pos,
                data.mocap_quat,
            )

    def height_m(self, x_m: float, y_m: float) -> float:
        """Highest of the followed surfaces at a point of the world."""
        sample = np.empty(3)
        highest = -math.inf
        for surface in self._surfaces:
            _sample_surface(surface, self._corner_m, x_m, y_m, sample)
            highest = max(highest, float(sample[0]))
        return highest


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _lay_planes(
    surfaces: FloatArray,
    corner_m: FloatArray,
    geom_xpos: FloatArray,
    geoms: NDArray[np.int64],
    pads: NDArray[np.int64],
    mocap_pos: FloatArray,
    mocap_quat: FloatArray,
) -> None:
    sample = np.empty(3)
    for part in range(len(geoms)):
        x_m, y_m = geom_xpos[geoms[part], 0], geom_xpos[geoms[part], 1]
        _sample_surface(surfaces[part], corner_m, x_m, y_m, sample)
        pad = pads[part]
        mocap_pos[pad, 0], mocap_pos[pad, 1], mocap_pos[pad, 2] = x_m, y_m, sample[0]
        # Quaternion that turns +z into the normal (-slope_x, -slope_y, 1): half-way vector.
        length = math.sqrt(1.0 + sample[1] ** 2 + sample[2] ** 2)
        w = math.sqrt(0.5 + 0.5 / length)
        mocap_quat[pad, 0] = w
        mocap_quat[pad, 1] = 0.5 * sample[2] / length / w
        mocap_quat[pad, 2] = -0.5 * sample[1] / length / w
        mocap_quat[pad, 3] = 0.0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sample_surface(
    surface: FloatArray, corner_m: FloatArray, x_m: float, y_m: float, out: FloatArray
) -> None:
    """Height and slopes along x and y by bicubic Catmull-Rom; 0 outside the grid."""
    rows, columns = surface.shape
    u = (x_m - corner_m[0]) / CELL_M
    v = (y_m - corner_m[1]) / CELL_M
    j, i = math.floor(u), math.floor(v)
    out[0] = out[1] = out[2] = 0.0
    if i < 1 or j < 1 or i > rows - 3 or j > columns - 3:
        return
    for row in range(4):
        weight_y, slope_y = _catmull_rom(row, v - i)
        for column in range(4):
            weight_x, slope_x = _catmull_rom(column, u - j)
            height = surface[i - 1 + row, j - 1 + column]
            out[0] += weight_y * weight_x * height
            out[1] += weight_y * slope_x * height / CELL_M
            out[2] += slope_y * weight_x * height / CELL_M


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _catmull_rom(tap: int, t: float) -> tuple[float, float]:
    """Weight of tap -1, 0, 1, 2 (given as 0..3) at `t` in [0, 1), and its derivative."""
    if tap == 0:
        return ((2.0 - t) * t - 1.0) * t / 2.0, ((4.0 - 3.0 * t) * t - 1.0) / 2.0
    if tap == 1:
        return ((3.0 * t - 5.0) * t * t + 2.0) / 2.0, (9.0 * t - 10.0) * t / 2.0
    if tap == 2:
        return ((4.0 - 3.0 * t) * t + 1.0) * t / 2.0, ((8.0 - 9.0 * t) * t + 1.0) / 2.0
    return (t - 1.0) * t * t / 2.0, (3.0 * t - 2.0) * t / 2.0
