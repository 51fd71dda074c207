# SPDX-License-Identifier: Apache-2.0
"""Sounds and pictures in pairs: no text in training, no model's test view among training's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind.errors import SourceError
from sensebind_engines.recipes.object_renders.views import View
from sensebind_engines.recipes.sound_pictures import dataset
from sensebind_engines.recipes.sound_pictures.things import THINGS
from sensebind_engines.recipes.sounds.dataset import prompts
from sensebind_engines.training.config_file import load_config
from tests.engines.recipes.sounds.fakes import use_fake_soundfont, write_cache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = sorted({name for thing in THINGS.values() for name in thing.models})


def _catalog(library: object) -> dict[str, dict[str, str]]:
    del library
    return {name.lower(): {"name": name} for name in [*NAMES, "Sofa"]}


def _views(model: object, count: int, rng: np.random.Generator) -> list[View]:
    del model
    colours = rng.integers(256, size=(count, 4, 4, 3), dtype=np.uint8)
    return [View(colour, np.zeros((4, 4), np.float32), 1.0) for colour in colours]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as monkeypatch:
        write_cache(cache, monkeypatch)
        use_fake_soundfont(monkeypatch)
        monkeypatch.setattr(dataset, "find_package", lambda _: cache)
        monkeypatch.setattr(dataset, "open_libraries", lambda _: {"one": None})
        monkeypatch.setattr(dataset, "use_headless_gl", lambda: None)
        monkeypatch.setattr(dataset, "read_catalog", _catalog)
        monkeypatch.setattr(dataset, "load_model", lambda *_: None)
        monkeypatch.setattr(dataset, "render_views", _views)
        yield dataset.build(cache / "out", cache)


def _rows(built: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (built / "manifest.jsonl").read_text().splitlines()]


def test_nothing_is_said_in_words(built: Path) -> None:
    assert all("text" not in row for row in _rows(built))


def test_every_thing_is_a_class_of_sounds() -> None:
    assert THINGS.keys() <= prompts().keys()


def test_every_sound_has_a_picture_of_its_thing(built: Path) -> None:
    rows = _rows(built)
    assert {row["label"] for row in rows} == set(THINGS)
    for row in rows:
        assert (built / row["audio"]).is_file()
        assert (built / row["vision"]).is_file()
        assert row["vision"].startswith(row["label"].replace(" ", "-"))


def test_test_rows_share_nothing_with_training(built: Path) -> None:
    for sense in ("audio", "vision"):
        train, test = (
            {row[sense] for row in _rows(built) if row["split"] == split}
            for split in ("train", "test")
        )
        assert test
        assert train.isdisjoint(test)


def test_the_configuration_binds_no_text(built: Path) -> None:
    config = load_config(built / dataset.CONFIG)
    assert [edge.pair for edge in config.edges] == [("audio", "vision")]


def test_a_thing_without_a_model_is_named(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "read_catalog", lambda _: {"sofa": {"name": "Sofa"}})
    with pytest.raises(SourceError, match="no 3-D model named Dog"):
        dataset.build(built, built.parent)
