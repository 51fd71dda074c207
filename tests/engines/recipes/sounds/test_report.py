# SPDX-License-Identifier: Apache-2.0
"""Figures of every split: tones that statistics tell apart, and random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer import Typer
from typer.testing import CliRunner

from sensebind_engines.recipes.figures import Measurement, SenseFigures, read_figures
from sensebind_engines.recipes.sounds.dataset import build, prompts
from sensebind_engines.recipes.sounds.report import TESTS, main
from tests.engines.recipes.sounds.fakes import use_fake_soundfont, write_cache
from tests.support.bundles import bundle_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["bundle_folder"]

pytestmark = pytest.mark.slow

MEASURES = ("clips", "windows of 2 s", f"clips, among all {len(prompts())} classes")


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> SenseFigures:
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as monkeypatch:
        write_cache(cache, monkeypatch)
        use_fake_soundfont(monkeypatch)
        data = build(cache / "out", cache)
    app = Typer()
    app.command()(main)
    arguments = [str(data), str(cache / "figures.json"), *[str(bundle_folder)] * 2]
    printed = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert printed.stdout.startswith("recorded sounds named by text, clips: 0.")
    return read_figures(cache / "figures.json")


def _named(figures: SenseFigures, kind: str, measure: str) -> Measurement:
    return next(m for m in figures.measurements if m.name == f"{kind} named by text, {measure}")


def test_every_split_is_measured_by_clip_and_window(figures: SenseFigures) -> None:
    for test in TESTS:
        for measure in MEASURES:
            found = _named(figures, test.kind, measure)
            assert found.seeds == (0, 1)
            assert found.values[0] == found.values[1]  # the same bundle twice
            classes = len(prompts()) if "all" in measure else len(test.labels)
            assert found.classes == classes
            assert found.chance == pytest.approx(1 / classes, abs=1e-6)


def test_the_baseline_tells_tones_apart_and_random_weights_do_not(figures: SenseFigures) -> None:
    headline = figures.measurements[0]
    assert headline.baseline is not None
    assert headline.difference is not None
    assert headline.baseline.value == 1.0
    assert headline.mean < 0.6
    assert headline.difference.high < 0


def test_classes_and_failures_are_told(figures: SenseFigures) -> None:
    assert [table.split for table in figures.class_tables] == [test.split for test in TESTS]
    assert {row.label for row in figures.class_tables[0].rows} == set(TESTS[0].labels)
    assert all(row.baseline == 1.0 for row in figures.class_tables[0].rows)
    assert figures.failures[0].said != figures.failures[0].truth
    scores = [failure.score for failure in figures.failures]
    assert scores == sorted(scores, reverse=True)
    assert figures.parameters > 0
