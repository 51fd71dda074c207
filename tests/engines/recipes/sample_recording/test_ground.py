# SPDX-License-Identifier: Apache-2.0
"""The ground: of held-out kinds, where the gravel lies, and that its edges are level."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy", reason="floors need the recipes extra")
pytest.importorskip("mujoco", reason="the recording's modules need the recipes extra")

from sensebind_engines.recipes.sample_recording import ground
from sensebind_engines.recipes.simulation.floors import CELL_M, HELD_OUT_FLOORS, sample_floor


def test_gravel_is_of_a_held_out_kind_and_level_at_its_edges() -> None:
    assert {ground.GRAVEL_KIND, ground.CARPET_KIND} <= set(HELD_OUT_FLOORS)
    bed = ground.gravel_bed(np.random.default_rng(0))
    assert bed.shape == (180, 120)
    for edge in (bed[0], bed[-1], bed[:, 0], bed[:, -1]):
        assert (edge == 0.0).all()
    assert 0.005 <= bed.max() <= ground.BED_RANGE_M


def test_bed_lies_where_it_is_shown() -> None:
    bed = np.full((180, 120), 0.5)
    floor = ground.hall_floor(bed, np.random.default_rng(0))
    assert floor.heights_m is not None
    rows, columns = np.nonzero(floor.heights_m == 0.5)
    middle_m = [
        (index.mean() - (size - 1) / 2) * CELL_M + centre
        for index, size, centre in zip(
            (columns, rows), floor.heights_m.shape[::-1], floor.centre_m, strict=True
        )
    ]
    np.testing.assert_allclose(middle_m, ground.GRAVEL_CENTRE_M, atol=CELL_M)


def test_around_the_bed_lies_a_carpet() -> None:
    floor = ground.hall_floor(np.zeros((180, 120)), np.random.default_rng(0))
    carpet = sample_floor(ground.CARPET_KIND, np.random.default_rng(0)).heights_m
    assert floor.heights_m is not None
    assert carpet is not None
    corner = floor.heights_m[:50, :50]
    assert (corner == carpet[:50, :50]).all()
    assert corner.std() > 0
