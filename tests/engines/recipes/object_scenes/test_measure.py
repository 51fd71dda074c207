# SPDX-License-Identifier: Apache-2.0
"""Figures of encoders that were hardly trained, from the built folder to the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

from sensebind.types import Modality
from sensebind_engines.export.run import export_run
from sensebind_engines.recipes.figures import read_figures
from sensebind_engines.recipes.object_scenes import dataset
from sensebind_engines.recipes.object_scenes.baseline import baseline_said
from sensebind_engines.recipes.object_scenes.measure import main, measure
from sensebind_engines.training.config_file import load_config
from sensebind_engines.training.run import train, trained_encoder
from sensebind_engines.training.run_folder import RunFolder
from tests.engines.recipes.object_scenes.models import library
from tests.support.bundles import bundle_folder

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind_engines.recipes.figures import SenseFigures

__all__ = ["bundle_folder"]

pytest.importorskip("mujoco")

VIEWS = 3
SHORT = (
    "schedule.steps=2", "schedule.warmup_steps=1", "training.batch=4",
    'nodes.thermal.size="conv-tiny"',
)  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "VIEWS", dict.fromkeys(dataset.VIEWS, VIEWS))
        patch.setattr(dataset, "COLOURED", VIEWS)
        patch.setattr(dataset, "ANCHOR", str(bundle_folder))
        return dataset.build_from({"lib": library()}, tmp_path_factory.mktemp("scenes"), seed=0)


@pytest.fixture(scope="module")
def bundles(built: Path, bundle_folder: Path) -> list[str]:
    made = []
    for seed in range(2):
        anchors = [f'nodes.{node}.anchor="{bundle_folder}"' for node in ("vision", "text")]
        config = load_config(
            built / "thermal.toml",
            [*SHORT, *anchors, f"training.seed={seed}", "dim=32"],
        )
        run = train(config, built / f"run-{seed}")
        export_run(run.path, built / f"bundle-{seed}")
        made.append(str(built / f"bundle-{seed}"))
    return made


@pytest.fixture(scope="module")
def figures(built: Path, bundles: list[str]) -> SenseFigures:
    return measure(built, Modality.THERMAL, bundles, "test")


def test_what_was_measured(figures: SenseFigures) -> None:
    named, found, found_by = figures.measurements
    views = sum(row.n for row in figures.class_tables[0].rows)
    assert (figures.sense, figures.binding, figures.nature) == ("thermal", "emergent", "simulated")
    for one in figures.measurements:
        assert (one.n, one.groups, one.seeds) == (views, views // VIEWS, (0, 1))
    assert named.chance == 1 / len(figures.class_tables[0].rows)
    assert named.baseline is not None
    assert named.ceiling is not None
    assert named.difference is not None
    assert found.chance == found_by.chance
    assert found.chance == pytest.approx(1 / (views - VIEWS + 1))


def test_recalls_make_the_headline(figures: SenseFigures) -> None:
    rows = figures.class_tables[0].rows
    assert figures.measurements[0].mean == pytest.approx(np.mean([row.recall for row in rows]))


def test_failures_are_failures(figures: SenseFigures) -> None:
    for one in figures.failures:
        assert one.truth != one.said
        assert one.item.startswith("lib-m")


def test_parameters_are_those_of_the_run(figures: SenseFigures, built: Path) -> None:
    encoder = trained_encoder(RunFolder(built / "run-0"), Modality.THERMAL)
    assert figures.parameters == sum(values.numel() for values in encoder.parameters())


def test_the_baseline_knows_its_own_training_pictures(built: Path, bundles: list[str]) -> None:
    from sensebind import Bundle

    with Bundle.load(bundles[0]) as bundle:
        spec = bundle.manifest.encoders[Modality.THERMAL]
    truth, said = baseline_said(built / "manifest.jsonl", Modality.THERMAL, spec, "train")
    assert set(said) <= set(truth)
    assert np.mean(np.array(truth) == np.array(said)) > 1 / len(set(truth))


def test_command(built: Path, bundles: list[str], tmp_path: Path) -> None:
    app = Typer()
    app.command()(main)
    arguments = [
        str(built),
        "thermal",
        *bundles,
        "--split",
        "dev",
        "--out",
        str(tmp_path / "f.json"),
    ]
    printed = CliRunner().invoke(app, arguments)
    assert printed.exit_code == 0, printed.output
    assert "thermal named by text: " in printed.stdout
    written = read_figures(tmp_path / "f.json")
    assert written.measurements[0].seeds == (0, 1)
