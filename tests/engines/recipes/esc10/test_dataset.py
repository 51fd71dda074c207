# SPDX-License-Identifier: Apache-2.0
"""Manifests of ESC-10: which clip is in which split, and what goes with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sensebind.errors import SourceError
from sensebind_engines.recipes.esc10.dataset import CONFIG, LEFT_OUT, SOUNDS, build, listed_clips
from sensebind_engines.training.config_file import load_config
from tests.engines.recipes.esc10.sounds import write_sounds

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as monkeypatch:
        write_sounds(cache, monkeypatch)
        return build(cache / "out", cache)


def _splits(path: Path) -> dict[str, set[str]]:
    """Folds by split."""
    found: dict[str, set[str]] = {}
    for row in _rows(path):
        found.setdefault(row["split"], set()).add(row["audio"].rsplit("/")[-1][0])
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_choices_never_see_the_test_fold(built: Path) -> None:
    assert _splits(built / "choosing.jsonl") == {"train": {"1", "2"}, "dev": {"3"}}


def test_the_final_training_joins_three_folds(built: Path) -> None:
    assert _splits(built / "final.jsonl") == {"train": {"1", "2", "3"}, "test": {"4"}}


def test_rows_name_files_classes_and_recordings(built: Path) -> None:
    rows = _rows(built / "final.jsonl")
    assert len(rows) == 4 * len(SOUNDS)  # without those of another licence
    assert all((built / row["audio"]).is_file() for row in rows)
    assert [row["label"] for row in rows if row["group"] == "001"] == ["dog bark"]
    assert {row["label"] for row in rows} == set(SOUNDS)


def test_prompts_are_no_training_texts(built: Path) -> None:
    prompts = json.loads((built / "prompts.json").read_text())["audio"]
    texts = {text for row in _rows(built / "final.jsonl") for text in row["text"]}
    assert prompts.keys() == SOUNDS.keys()
    assert texts.isdisjoint(text for wordings in prompts.values() for text in wordings)


def test_the_configuration_finds_its_data(built: Path) -> None:
    config = load_config(built / CONFIG)
    assert config.data["sounds"].manifest == str(built / "final.jsonl")
    assert config.data["sounds"].split == "train"


def test_missing_recordings_say_where_they_are_from(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no folder '001 - Dog bark'.*karolpiczak/ESC-10"):
        build(tmp_path / "out", tmp_path)


def test_a_clip_that_is_missing_or_changed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sounds(tmp_path, monkeypatch)
    clip = tmp_path / "esc10" / SOUNDS["rain"].folder / "2-012-A.ogg"
    clip.write_bytes(b"another recording")
    with pytest.raises(SourceError, match=r"2-012-A\.ogg' of ESC-10 has sha256 .*karolpiczak"):
        build(tmp_path / "out", tmp_path)
    clip.unlink()
    with pytest.raises(SourceError, match=r"2-012-A\.ogg' of ESC-10 is missing; get it from"):
        build(tmp_path / "out", tmp_path)
    assert not (tmp_path / "out" / "choosing.jsonl").exists()


def test_the_list_has_every_clip_that_may_be_used() -> None:
    clips = {label: listed_clips(sound.folder) for label, sound in SOUNDS.items()}
    assert {label: len(names) for label, names in clips.items()} == {
        **dict.fromkeys(SOUNDS, 32), "rooster": 30,
    }  # fmt: skip
    stems = {name.removesuffix(".ogg") for names in clips.values() for name in names}
    assert stems.isdisjoint(LEFT_OUT)
    assert {stem[0] for stem in stems} == {"1", "2", "3", "4"}
