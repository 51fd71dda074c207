# SPDX-License-Identifier: Apache-2.0
"""Floors, and the surfaces that rolling parts follow."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="simulation needs the recipes extra")

from sensebind_engines.recipes.simulation import ground
from sensebind_engines.recipes.simulation.floors import (
    CELL_M,
    FLOOR_KINDS,
    HELD_OUT_FLOORS,
    PLANE,
    TRAINING_FLOORS,
    Floor,
    sample_floor,
)
from sensebind_engines.recipes.simulation.mjcf import RobotSpec
from sensebind_engines.recipes.simulation.robot import Robot


def test_training_and_held_out_floors_share_no_kind() -> None:
    assert not set(TRAINING_FLOORS) & set(HELD_OUT_FLOORS)


@pytest.mark.parametrize("kind", [kind for kind in FLOOR_KINDS if kind != "plane"])
def test_floor_is_drawn_from_the_generator_alone(kind: str) -> None:
    first, again, other = (sample_floor(kind, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.heights_m, again.heights_m)  # type: ignore[arg-type]
    assert not np.array_equal(first.heights_m, other.heights_m)  # type: ignore[arg-type]
    assert 1e-5 < first.rms_height_m < 0.03


def test_unknown_floor_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown floor 'ice'; expected one of plane"):
        sample_floor("ice", np.random.default_rng(0))


def test_wheel_rolls_over_a_gap_that_is_narrower_than_itself() -> None:
    heights = np.zeros((40, 40))
    heights[:, 20] = -0.05
    followed = Floor("gap", heights).rolled(0.08)
    # Chord of one cell to either side: the sagitta of the wheel, blurred by half a cell.
    sagitta_m = 0.08 - np.sqrt(0.08**2 - CELL_M**2)
    assert followed.min() >= -sagitta_m - 1e-9
    assert followed.min() < 0.0


def test_flat_height_field_is_followed_exactly() -> None:
    assert np.ptp(Floor("flat", np.full((40, 40), 0.01)).rolled(0.08)) < 1e-15


def test_sampled_surface_equals_a_plane_with_its_slopes() -> None:
    rows, columns = np.mgrid[0:30, 0:40] * CELL_M
    surface = 0.3 * columns - 0.2 * rows + 0.01
    out = np.empty(3)
    corner = np.array([-0.4, -0.3])
    for x_m, y_m in ((-0.1, 0.0), (0.2, -0.11), (0.153, 0.2)):
        ground._sample_surface(surface, corner, x_m, y_m, out)
        expected = 0.3 * (x_m + 0.4) - 0.2 * (y_m + 0.3) + 0.01
        assert out == pytest.approx([expected, 0.3, -0.2], abs=1e-12)


def test_surface_is_flat_outside_its_grid() -> None:
    out = np.empty(3)
    ground._sample_surface(np.ones((8, 8)), np.zeros(2), 5.0, 0.05, out)
    assert out.tolist() == [0.0, 0.0, 0.0]


def test_planes_are_laid_with_the_surface_normal() -> None:
    heights = np.mgrid[0:101, 0:101][1] * CELL_M * 0.1  # rises by 10 % along x
    robot = Robot(RobotSpec(), Floor("ramp", heights, (0.0, 0.0)))
    pads = [robot.model.body(f"ground_{part}").mocapid[0] for part in ground.ROLLING_PARTS]
    for pad in pads:
        w, x, y, z = robot.data.mocap_quat[pad]
        normal = (2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y))
        assert normal == pytest.approx(np.array([-0.1, 0.0, 1.0]) / np.hypot(0.1, 1.0), abs=1e-6)


def test_plane_floor_needs_no_laying() -> None:
    robot = Robot(RobotSpec(), PLANE)
    assert np.all(robot.data.mocap_pos == 0.0)
