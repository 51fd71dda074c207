# SPDX-License-Identifier: Apache-2.0
"""The manifest of models in rooms: splits, units, interrupted builds, configurations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from sensebind.types import Modality
from sensebind_engines.recipes.object_renders.classes import CLASSES
from sensebind_engines.recipes.object_renders.dataset import named_models, split_models
from sensebind_engines.recipes.object_scenes import dataset
from sensebind_engines.training.config_file import load_config
from tests.engines.recipes.object_scenes.models import library
from tests.support.bundles import bundle_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["bundle_folder"]

pytest.importorskip("mujoco")

FEW = {"train": 3, "dev": 2, "test": 2}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "VIEWS", FEW)
        patch.setattr(dataset, "COLOURED", 2)
        patch.setattr(dataset, "ANCHOR", str(bundle_folder))
        return dataset.build_from({"lib": library()}, tmp_path_factory.mktemp("scenes"), seed=0)


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def test_splits_are_those_of_the_plain_renders(built: Path) -> None:
    told = {row["group"]: row["split"] for row in _rows(built)}
    splits = split_models(named_models({"lib": library()}))
    assert told == {group: split for group, split in splits.items() if group in told}
    assert set(told.values()) == set(FEW)
    for group, split in told.items():
        assert sum(row["group"] == group for row in _rows(built)) == FEW[split]


def test_a_training_row_has_the_mean_vector_of_its_model(built: Path) -> None:
    vectors = np.load(built / "pictures.npy")
    rows = _rows(built)
    trained = [row for row in rows if row["split"] == "train"]
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert {row["vision"]["index"] for row in trained} == set(range(len(vectors)))
    places = {row["group"]: row["vision"]["index"] for row in trained}
    assert len(places) == len(vectors)
    assert not any("text" in row for row in rows)


def test_other_rows_have_the_picture_of_their_view(built: Path) -> None:
    for row in _rows(built):
        if row["split"] != "train":
            assert np.asarray(Image.open(built / row["vision"])).shape == (240, 320, 3)


def test_depth_is_in_millimetres_and_heat_in_centikelvin(built: Path) -> None:
    for row in _rows(built):
        depth_mm = np.asarray(Image.open(built / row["depth"]["file"]))
        heat = np.asarray(Image.open(built / row["thermal"]["file"]))
        assert {depth_mm.dtype, heat.dtype} == {np.dtype(np.uint16)}
        assert (depth_mm.shape, heat.shape) == ((120, 160), (60, 80))
        assert depth_mm[depth_mm > 0].min() >= 200
        assert depth_mm.max() <= 9000
        assert 25_000 < np.median(heat) < 33_000
        assert 80 < row["depth"]["focal_px"] < 180


def test_a_build_that_was_interrupted_goes_on(
    built: Path, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (built / "manifest.jsonl").read_bytes()
    monkeypatch.setattr(dataset, "ANCHOR", str(bundle_folder))
    monkeypatch.setattr(dataset, "VIEWS", FEW)
    monkeypatch.setattr(dataset, "_render", lambda *_: pytest.fail("rendered again"))
    dataset.build_from({"lib": library()}, built, seed=0)
    assert (built / "manifest.jsonl").read_bytes() == before


@pytest.mark.parametrize(("seed", "count", "kept"), [(5, 3, True), (5, 4, False), (6, 3, False)])
def test_views_of_other_settings_are_rendered_again(seed: int, count: int, *, kept: bool) -> None:
    views = dataset.Rendered(dataset.VERSION, 5, (1.0, 1.0, 1.0), 2)
    assert views.is_of(seed, count) == kept
    assert not msgspec.structs.replace(views, version=dataset.VERSION + 1).is_of(5, 3)


def test_a_build_that_is_not_finished_has_no_manifest(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = (built / "manifest.jsonl").read_bytes()
    monkeypatch.setattr(dataset, "VERSION", dataset.VERSION + 1)
    monkeypatch.setattr(dataset, "VIEWS", FEW)
    monkeypatch.setattr(dataset, "_render", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        dataset.build_from({"lib": library()}, built, seed=0)
    assert not (built / "manifest.jsonl").exists()
    (built / "manifest.jsonl").write_bytes(kept)


@pytest.mark.parametrize("sense", ["depth", "thermal"])
def test_configurations_bind_a_sense_to_pictures_alone(built: Path, sense: str) -> None:
    config = load_config(built / f"{sense}.toml")
    assert [edge.pair for edge in config.edges] == [(sense, "vision")]
    assert config.data["scenes"].manifest == str(built / "manifest.jsonl")
    assert config.data["scenes"].augment.spatial.vectors_of_things
    assert config.nodes[Modality.VISION].frozen
    assert config.nodes[Modality.TEXT].frozen


def test_prompts_of_all_classes(built: Path) -> None:
    prompts = json.loads((built / "prompts.json").read_text())
    assert prompts["vision"] == prompts["depth"] == prompts["thermal"]
    assert prompts["depth"].keys() == CLASSES.keys()
