# SPDX-License-Identifier: Apache-2.0
"""What the page on training says of data and evaluation, done on small data."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import soundfile
from typer.testing import CliRunner

from sensebind.types import Modality
from sensebind_engines.commands.evaluate import app
from sensebind_engines.data.augment.config import Augmentation
from sensebind_engines.data.config import DataConfig
from sensebind_engines.data.manifest import Row, read_manifest
from sensebind_engines.data.paired import ManifestData
from tests.docs.test_docs import ROOT, blocks, commands
from tests.support import datasets

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from sensebind import Bundle


PAGE = ROOT / "docs" / "training.md"


def test_a_folder_of_sounds_becomes_batches(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("dog", "rain"):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        for number in range(4):
            sound = 0.1 * np.random.default_rng(number).standard_normal(48_000)
            soundfile.write(tmp_path / f"sounds/{name}/{number}.wav", sound, 16_000)
    script = next(text for text in blocks(PAGE, "python") if "sounds.jsonl" in text)
    exec(compile(script, "training.md", "exec"), {})
    table = next(text for text in blocks(PAGE, "toml") if "[data.sounds]" in text)
    config = msgspec.convert(tomllib.loads(table)["data"]["sounds"], DataConfig)
    encoders = {m: bundle.manifest.encoders[m] for m in (Modality.AUDIO, Modality.TEXT)}
    tokenizer = bundle.folder.path / "tokenizer.json"
    data = ManifestData(config, encoders, folder=tmp_path, tokenizer=tokenizer)
    assert len(data) == 18  # three windows of each of the six rows to train on
    batch = data.batch(np.arange(18), np.random.default_rng(0))
    assert batch.keys is not None
    assert len(set(batch.keys.tolist())) == 2


def test_the_rows_shown_can_be_read(tmp_path: Path) -> None:
    examples = blocks(PAGE, "json")
    assert len(examples) >= 2
    for text in examples:
        path = tmp_path / "m.jsonl"
        path.write_text(text, encoding="utf-8")
        for entry in read_manifest(path):
            assert {m for m in Modality if entry.source(m)} or entry.row.texts()


def test_every_key_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    table = page[page.index("| key |") : page.index("Files:")]
    assert set(re.findall(r"`(\w+)`", table)) >= set(Row.__struct_fields__)


def test_every_augmentation_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    told = dict(
        re.findall(r"^\| `(\w+)` \| (.*) \|$", page[page.index("| `augment.` |") :], re.MULTILINE)
    )
    for sense in Augmentation.__struct_fields__:
        settings = getattr(Augmentation(), sense).__struct_fields__
        assert set(re.findall(r"`(\w+)`", told[sense])) == set(settings)


def test_the_evaluations_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = []
    for number in range(8):
        datasets.imu_csv(tmp_path / f"{number}.csv", datasets.imu_rows(420, number))
        part = "test" if number < 4 else "train"
        rows.append(
            {"imu": f"{number}.csv", "label": ("still", "rough")[number % 2], "split": part}
        )
    datasets.manifest(tmp_path / "drive.jsonl", *rows)
    evaluations = [words for words in commands(PAGE) if words[1:3] == ["evaluate", "demo"]]
    assert len(evaluations) >= 2
    for words in evaluations:
        run = CliRunner().invoke(app, [*words[2:], "--resamples", "20"])
        assert run.exit_code == 0, (words, run.output)
        found = json.loads((tmp_path / "evaluation/evaluation.json").read_bytes())
        assert found["zero_shot"]
    assert found["few_shot"][0]["shots_from"] == "split 'train'"
