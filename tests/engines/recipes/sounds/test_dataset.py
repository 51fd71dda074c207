# SPDX-License-Identifier: Apache-2.0
"""The recipe: what is in which split, and what a second build does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import soundfile

from sensebind.errors import SourceError
from sensebind_engines.recipes.sounds.dataset import CONFIG, build, plan, prompts
from sensebind_engines.recipes.sounds.events import EVENTS
from sensebind_engines.recipes.sounds.instruments import INSTRUMENTS
from sensebind_engines.recipes.sounds.test_side import test_sounds as sounds_of_the_test_side
from sensebind_engines.training.config_file import load_config
from tests.engines.recipes.sounds.fakes import use_fake_soundfont, write_cache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Built:
    """A build and its manifests."""

    def __init__(self, out: Path, cache: Path, played: list[int]) -> None:
        self.out, self.cache, self.played = out, cache, played
        self.choosing, self.final = (_rows(out / f"{n}.jsonl") for n in ("choosing", "final"))


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as monkeypatch:
        write_cache(cache, monkeypatch)
        played = use_fake_soundfont(monkeypatch)
        yield Built(build(cache / "out", cache), cache, played)


def _files(rows: list[dict[str, Any]], split: str) -> set[str]:
    return {row["audio"] for row in rows if row["split"] == split}


def test_choices_never_see_what_is_tested(built: Built) -> None:
    tested = set().union(
        *(_files(built.final, split) for split in ("recordings", "notes", "presets", "events"))
    )
    assert tested.isdisjoint(row["audio"] for row in built.choosing)
    assert tested.isdisjoint(_files(built.final, "train"))


def test_the_final_training_takes_in_what_choices_were_made_on(built: Built) -> None:
    assert _files(built.final, "train") == {row["audio"] for row in built.choosing}


def test_every_row_is_a_file_with_words(built: Built) -> None:
    for row in built.final:
        assert (built.out / row["audio"]).is_file()
        assert row["text"]
        assert row["key"] == row["label"]


def test_every_class_is_trained_and_asked_with_other_words(built: Built) -> None:
    asked = json.loads((built.out / "prompts.json").read_text())["audio"]
    trained = {row["label"]: row["text"] for row in built.final if row["split"] == "train"}
    assert asked.keys() == trained.keys() == prompts().keys()
    assert min(len(set(texts)) for texts in trained.values()) >= 6
    learnt = {text for texts in trained.values() for text in texts}
    assert learnt.isdisjoint(text for wordings in asked.values() for text in wordings)


def test_held_out_programs_are_only_tested() -> None:
    for made in plan():
        if made.program is not None:
            instrument = INSTRUMENTS[made.label]
            assert (made.program == instrument.held_out) == (made.part == "preset")
            assert instrument.held_out not in instrument.programs


def test_a_second_build_makes_only_what_is_missing(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = use_fake_soundfont(monkeypatch)
    lost = built.out / next(iter(_files(built.final, "notes")))
    content = lost.read_bytes()
    lost.unlink()
    build(built.out, built.cache)
    assert len(played) == 1
    assert lost.read_bytes() == content


def test_sounds_are_16_bits_at_16_khz(built: Built) -> None:
    info = soundfile.info(built.out / next(iter(_files(built.final, "events"))))
    assert (info.samplerate, info.subtype, info.duration) == (16000, "PCM_16", 8.0)


def test_the_configuration_finds_its_data(built: Built) -> None:
    config = load_config(built.out / CONFIG)
    assert config.data["sounds"].manifest == str(built.out / "final.jsonl")


def test_credits_name_trained_clips_alone(built: Built) -> None:
    text = (built.out / "CREDITS.txt").read_text()
    assert '1-001-A: from "bark.wav" by Some One, CC0, http://sounds.example/2' in text
    assert "4-064-A" not in text
    assert "1-40730-A" not in text
    assert "Frank Wen" in text


def test_sounds_of_the_test_side(built: Built) -> None:
    found = {sound.label: sound for sound in sounds_of_the_test_side(built.out, built.cache)}
    assert found.keys() == prompts().keys()
    assert found["baby cry"].split == "recordings"
    assert found["dog bark"].path.name.startswith("4-")
    assert all(found[label].split == "events" for label in EVENTS)


def test_recordings_without_authors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no folder '.*esc10'; put ESC-10 there: http"):
        build(tmp_path / "out", tmp_path)
    (tmp_path / "esc10").mkdir()
    with pytest.raises(SourceError, match=r"tells no author of any clip in ATTRIBUTION\.txt"):
        build(tmp_path / "out", tmp_path)
    assert not (tmp_path / "out" / "final.jsonl").exists()


def test_other_licences_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cache(tmp_path, monkeypatch)
    more = "[1-5-B.ogg]: clip derived from a (http://sounds.example/4) by B [CC-BY-NC]\n"
    with (tmp_path / "esc10" / "README.md").open("a") as file:
        file.write(more)
    with pytest.raises(SourceError, match=r"1-5-B \[CC-BY-NC\]"):
        build(tmp_path / "out", tmp_path)
