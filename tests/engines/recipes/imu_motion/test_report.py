# SPDX-License-Identifier: Apache-2.0
"""Figures: motions that statistics tell apart, and random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="figures need the recipes extra")
pytest.importorskip("onnx", reason="figures need the recipes extra")
pytest.importorskip("mujoco", reason="simulation needs the recipes extra")

from typer import Typer
from typer.testing import CliRunner

from sensebind_engines.models.config import encoder_spec
from sensebind_engines.models.sizes import default_config
from sensebind_engines.recipes.figures import SenseFigures, read_figures
from sensebind_engines.recipes.imu_motion import real
from sensebind_engines.recipes.imu_motion.report import main
from sensebind_engines.recipes.imu_motion.watch import EXERCISES
from sensebind_engines.recipes.simulation.labels import CLASSES
from tests.engines.recipes.imu_motion.motions import build_fakes
from tests.engines.recipes.imu_motion.test_watch import write_series
from tests.support.bundles import bundle_folder

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind_engines.recipes.imu_motion.windows import Windows

__all__ = ["bundle_folder"]

WINDOWS = 6  # of the test bundle's 1 s, a second apart, in two episodes of 3 s


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> SenseFigures:
    folder = tmp_path_factory.mktemp("imu")
    with pytest.MonkeyPatch.context() as monkeypatch:
        data = build_fakes(folder, monkeypatch)
    watch = write_series(folder / "watch", seconds=4.0)
    rest = folder / "rest.npz"
    level = np.tile([0.0, 0.0, -1.0], (400, 1))  # z down, as the real recording's
    np.savez(rest, accel_g=level, gyro_deg_s=np.zeros((400, 3)), rate_hz=100.0)
    app = Typer()
    app.command()(main)
    places = [data, folder / "figures.json", bundle_folder, bundle_folder]
    options = ["--watch", str(watch), "--rest", str(rest)]
    arguments = [*map(str, places), *options]
    printed = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert printed.stdout.startswith("shift: robots, floors, mounts and IMUs out of the training")
    return read_figures(folder / "figures.json")


def test_the_headline_is_shift_beside_both_baselines(figures: SenseFigures) -> None:
    regression, nearest = figures.measurements[:2]
    for one in (regression, nearest):
        assert one.split.startswith("shift")
        assert (one.classes, one.seeds) == (len(CLASSES), (0, 1))
        assert one.values[0] == one.values[1]  # the same bundle twice
        assert (one.n, one.groups) == (WINDOWS * len(CLASSES), 2 * len(CLASSES))
        assert one.baseline is not None
        assert one.baseline.value == 1.0
        assert one.difference is not None
        assert one.difference.high < 0
        assert one.mean < 0.6
    assert "regression" in regression.baseline.name  # type: ignore[union-attr]
    assert "nearest" in nearest.baseline.name  # type: ignore[union-attr]


def test_a_baseline_that_is_not_beaten_is_told(figures: SenseFigures) -> None:
    told = [limit for limit in figures.limits if "is not shown to be better" in limit]
    assert len(told) == 4  # two baselines on two splits
    assert told[0].startswith("On shift the encoder is not shown to be better than logistic")


def test_unseen_class_and_real_motion_are_measured(figures: SenseFigures) -> None:
    unseen = [one for one in figures.measurements if one.seen == "unseen class"]
    assert [one.n for one in unseen] == [WINDOWS, WINDOWS]
    assert all(one.measure == "recall" and "shaken" in one.name for one in unseen)
    people, rest = (one for one in figures.measurements if one.nature == "real")
    assert (people.classes, people.groups, people.group_kind) == (len(EXERCISES), 2, "subjects")
    assert (rest.measure, rest.n, rest.groups, rest.interval) == ("recall", 4, 1, None)


def test_a_sensor_on_its_head_is_turned(tmp_path: Path) -> None:
    path = tmp_path / "rest.npz"
    level = np.tile([0.1, 0.2, -1.0], (400, 1))
    np.savez(path, accel_g=level, gyro_deg_s=np.full((400, 3), 180.0), rate_hz=100.0)
    seen: list[Windows] = []

    class _Encoders:
        spec = encoder_spec(default_config("imu", "conv-small", 384))
        seeds = (0,)

        def vectors(self, windows: Windows) -> list[np.ndarray[tuple[int, ...], np.dtype[Any]]]:
            seen.append(windows)
            return [np.zeros((len(windows.labels), 2), np.float32)]

        def prototypes(self, prompts: dict[str, list[str]]) -> np.ndarray[Any, np.dtype[Any]]:
            return np.zeros((len(prompts), 2), np.float32)

    real.at_rest(_Encoders(), path)  # type: ignore[arg-type]
    level_m_s2 = seen[0].features.mean(axis=(0, 2))
    assert level_m_s2[:3] == pytest.approx([0.981, -1.961, 9.807], abs=1e-2)
    assert level_m_s2[3:] == pytest.approx([np.pi, -np.pi, -np.pi], abs=1e-3)


def test_tables_and_failures_are_of_the_first_bundle(figures: SenseFigures) -> None:
    assert [table.split for table in figures.class_tables] == ["shift", "test"]
    rows = {row.label: row for row in figures.class_tables[0].rows}
    assert set(rows) == set(CLASSES)
    assert all(row.baseline == 1.0 for row in rows.values())
    leads = [failure.score for failure in figures.failures]
    assert leads == sorted(leads, reverse=True)
    assert all(failure.truth != failure.said for failure in figures.failures)
    assert len({(f.truth, f.item.split()[0]) for f in figures.failures}) == len(leads) > 0
