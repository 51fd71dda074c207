# SPDX-License-Identifier: Apache-2.0
"""Figures: motions that statistics tell apart, and random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("onnx", reason="figures need the recipes extra")
pytest.importorskip("mujoco", reason="simulation needs the recipes extra")

from sensebind_engines.recipes.figures import SenseFigures, read_figures, write_figures
from sensebind_engines.recipes.figures_text import evaluation_text
from sensebind_engines.recipes.imu_motion.report import report
from sensebind_engines.recipes.imu_motion.watch import EXERCISES
from sensebind_engines.recipes.simulation.labels import CLASSES
from tests.engines.recipes.imu_motion.motions import build_fakes
from tests.engines.recipes.imu_motion.test_watch import write_series
from tests.support.bundles import bundle_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["bundle_folder"]

WINDOWS = 6  # of the test bundle's 1 s, a second apart, in two episodes of 3 s


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> SenseFigures:
    folder = tmp_path_factory.mktemp("imu")
    with pytest.MonkeyPatch.context() as monkeypatch:
        data = build_fakes(folder, monkeypatch)
    watch = write_series(folder / "watch", seconds=4.0)
    write_figures(
        folder / "figures.json", report(data, {0: bundle_folder, 5: bundle_folder}, watch)
    )
    return read_figures(folder / "figures.json")


def test_the_headline_is_shift_beside_both_baselines(figures: SenseFigures) -> None:
    regression, nearest = figures.measurements[:2]
    for one in (regression, nearest):
        assert one.split.startswith("shift")
        assert (one.classes, one.seeds) == (len(CLASSES), (0, 5))
        assert one.values[0] == one.values[1]  # the same bundle twice
        assert (one.n, one.groups) == (WINDOWS * len(CLASSES), 2 * len(CLASSES))
        assert one.baseline is not None
        assert one.baseline.value == 1.0
        assert one.difference is not None
        assert one.difference.high < 0
        assert one.mean < 0.6
    assert "regression" in regression.baseline.name  # type: ignore[union-attr]
    assert "nearest" in nearest.baseline.name  # type: ignore[union-attr]


def test_unseen_class_and_real_motion_are_measured(figures: SenseFigures) -> None:
    unseen = [one for one in figures.measurements if one.seen == "unseen class"]
    assert [one.n for one in unseen] == [WINDOWS, WINDOWS]
    assert all(one.measure == "recall" and "shaken" in one.name for one in unseen)
    (real,) = (one for one in figures.measurements if one.nature == "real")
    assert (real.classes, real.groups, real.group_kind) == (len(EXERCISES), 2, "subjects")


def test_tables_and_failures_are_of_the_first_bundle(figures: SenseFigures) -> None:
    assert [table.split for table in figures.class_tables] == ["shift", "test"]
    rows = {row.label: row for row in figures.class_tables[0].rows}
    assert set(rows) == set(CLASSES)
    assert all(row.baseline == 1.0 for row in rows.values())
    leads = [failure.score for failure in figures.failures]
    assert leads == sorted(leads, reverse=True)
    assert all(failure.truth != failure.said for failure in figures.failures)
    assert len({(f.truth, f.item.split()[0]) for f in figures.failures}) == len(leads) > 0


def test_the_text_tells_what_it_is(figures: SenseFigures) -> None:
    text = evaluation_text([figures], {"cosine_min": 0.9})
    assert "Imu: TEXT-BOUND, SIMULATED" in text
    assert np.char.find(np.array([text]), "nearest class mean")[0] > 0
