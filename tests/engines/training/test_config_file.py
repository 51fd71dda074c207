# SPDX-License-Identifier: Apache-2.0
"""Configurations: files, presets and overrides; what is wrong is named with the nearest right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch", reason="training needs the train extra")

from sensebind.errors import ConfigError
from sensebind.types import Modality
from sensebind_engines.training.config_file import config_text, load_config, presets

if TYPE_CHECKING:
    from pathlib import Path

BASE = """
[nodes]
audio = {}
vision = { anchor = "demo" }

[[edges]]
pair = ["audio", "vision"]
data = "pairs"

[data.pairs]
manifest = "pairs.jsonl"

[schedule]
steps = 10
warmup_steps = 1
learning_rate = 1e-3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(BASE, encoding="utf-8")
    return path


def test_a_file_is_read_and_its_paths_are_of_its_folder(file: Path) -> None:
    config = load_config(file)
    assert config.data["pairs"].manifest == str(file.parent / "pairs.jsonl")
    assert config.nodes[Modality.VISION].anchor == "demo"
    assert config.edges[0].temperature == 0.07
    assert config.schedule.learning_rate == 1e-3


def test_an_anchor_that_is_a_folder_beside_the_file_is_found(file: Path) -> None:
    (file.parent / "demo").mkdir()
    assert load_config(file).nodes[Modality.VISION].anchor == str(file.parent / "demo")


def test_overrides(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    settings = [
        "training.batch=4", "edges.0.temperature = 0.2", "edges.0.learned=true",
        "nodes.audio.size=small", "nodes.audio.encoder.network.blocks=2",
        "data.other.manifest=sub/x.jsonl", 'modalities=["audio", "vision"]',
    ]  # fmt: skip
    config = load_config(file, settings)
    assert config.training.batch == 4
    assert (config.edges[0].temperature, config.edges[0].learned) == (0.2, True)
    audio = config.nodes[Modality.AUDIO]
    assert (audio.size, audio.encoder) == ("small", {"network": {"blocks": 2}})
    assert config.data["other"].manifest == str(file.parent / "sub" / "x.jsonl")
    assert config.modalities == (Modality.AUDIO, Modality.VISION)


def test_the_resolved_text_reads_back_as_it_was(file: Path, tmp_path: Path) -> None:
    settings = [
        'nodes.audio.encoder.why="a \\"word\\" of 2\\u007f"',
        "nodes.audio.encoder.list=[[1, 2.5], [true]]",
        "training.micro_batch=2",
    ]
    config = load_config(file, settings)
    copy = tmp_path / "sub" / "copy.toml"
    copy.parent.mkdir()
    copy.write_text(config_text(config), encoding="utf-8")
    assert load_config(copy) == config
    assert "learned = false" in config_text(config)


@pytest.mark.parametrize("name", presets())
def test_presets_read_back_as_they_are(name: str, tmp_path: Path) -> None:
    config = load_config(name)
    copy = tmp_path / "copy.toml"
    copy.write_text(config_text(config), encoding="utf-8")
    assert load_config(copy) == config


def test_a_file_may_extend_a_preset_and_another_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('extends = "imagebind"\n[training]\nbatch = 8\nseed = 3\n')
    (tmp_path / "other.toml").write_text('extends = "mine.toml"\n[training]\nbatch = 9\n')
    config = load_config(tmp_path / "other.toml")
    assert (config.training.batch, config.training.seed) == (9, 3)
    assert config.edges == load_config("imagebind").edges


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("trainig.batch=2", r"unknown key 'trainig'.*did you mean 'training'\?"),
        ("training.bacth=2", r"unknown key 'training\.bacth'.*did you mean 'batch'\?"),
        ("edges.0.temprature=2", r"unknown key 'edges\.0\.temprature'.*'temperature'\?"),
        ("schedule.step=2", r"unknown key 'schedule\.step'.*did you mean 'steps'\?"),
        ("nodes.audio.sizes=tiny", r"unknown key 'nodes\.audio\.sizes'.*did you mean 'size'\?"),
        ("data.pairs.manifst=a", r"unknown key 'data\.pairs\.manifst'.*'manifest'\?"),
        (
            "data.pairs.augment.imu.x=1",
            r"unknown key 'data\.pairs\.augment\.imu\.x' in the configuration; known",
        ),
        ("nodes.sonar.size=tiny", r"not valid: Invalid enum value 'sonar'"),
        ("training.batch=1", r"not valid: Expected `int` >= 2.*batch"),
        ("training.batch=many", r"not valid: Expected `int`, got `str`.*batch"),
        ("schedule.betas=[0.9]", r"not valid: .*betas"),
        ('edges.0.pair=["audio", "sound"]', r"'sound' is not one of vision, .*, centroid"),
        ('edges.0.pair=["centroid", "audio"]', r"'centroid' is not one of vision, .*imu$"),
        ('edges.0.pair=["audio", "audio"]', "binds 'audio' to itself"),
        ("edges.3.weight=1", r"--set edges.3: '3' is not the number of an item, expected 0 to 0"),
        ("training.seed.x=1", r"--set 'training.seed.x=1': training.seed is 5, not a table"),
        ("training", r"--set 'training' is not a\.b=value"),
    ],
)
def test_what_is_wrong_is_named(file: Path, setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(file, ["training.seed=5", setting])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no file 'imagebnd'.*did you mean 'imagebind'\?"):
        load_config("imagebnd")
    (tmp_path / "bad.toml").write_text("nodes = [")
    with pytest.raises(ConfigError, match=r"bad\.toml is not TOML"):
        load_config(tmp_path / "bad.toml")
    (tmp_path / "a.toml").write_text('extends = "b.toml"')
    (tmp_path / "b.toml").write_text('extends = "a.toml"')
    with pytest.raises(ConfigError, match="goes round in a circle"):
        load_config(tmp_path / "a.toml")
    (tmp_path / "c.toml").write_text("extends = 3")
    with pytest.raises(ConfigError, match=r"extends is 3, expected a preset's name or a file"):
        load_config(tmp_path / "c.toml")
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        load_config(tmp_path)
