# SPDX-License-Identifier: Apache-2.0
"""A run's folder: written once, read back as it was, and nothing half-written."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch", reason="training needs the train extra")

import torch

from sensebind.errors import InputError, SinkError
from sensebind.types import Modality
from sensebind_engines.models.sizes import default_config
from sensebind_engines.training.config_file import config_from_table
from sensebind_engines.training.files import read_tensors, write_tensors
from sensebind_engines.training.run_folder import (
    AnchorRecord,
    DataRecord,
    EdgeRecord,
    Provenance,
    RunFolder,
)

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = config_from_table(
    {
        "dim": 8,
        "nodes": {"audio": {}, "depth": {"encoder": {"depth": 2, "why": 'a "word"'}}},
        "edges": [{"pair": ["audio", "depth"], "data": "both"}],
        "schedule": {"steps": 5, "warmup_steps": 1, "learning_rate": 1e-3},
        "data": {"both": {"manifest": "/a.jsonl", "jitter_s": 0.5}},
    }
)
ENCODERS = {Modality.AUDIO: default_config(Modality.AUDIO, "tiny", 8)}
DATA = {"both": DataRecord(modalities=(Modality.AUDIO,), items=3, content_sha256="00")}
ANCHORS = {Modality.TEXT: AnchorRecord(source="demo", encoder_id="1", space_id="2")}
PROVENANCE = Provenance({"torch": "2"}, DATA, ENCODERS, ANCHORS)
EDGE = EdgeRecord(pair=("audio", "depth"), data="both", loss="infonce", temperature=0.1, value=1.25)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.begin(CONFIG, PROVENANCE)
    return folder


def test_begin_is_read_back(run: RunFolder) -> None:
    assert run.config() == CONFIG
    assert run.versions() == {"torch": "2"}
    assert run.data() == DATA
    assert run.encoders() == ENCODERS
    assert run.anchors() == ANCHORS
    assert not run.tokenizer.exists()
    assert not run.finished


def test_a_second_run_in_the_folder_is_refused(run: RunFolder) -> None:
    with pytest.raises(InputError, match="already holds a run; add --resume"):
        run.begin(CONFIG, PROVENANCE)


def test_finish_is_read_back(run: RunFolder) -> None:
    weights = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor(2)}
    run.finish({Modality.AUDIO: weights}, (EDGE,))
    assert run.finished
    assert run.edges() == (EDGE,)
    read = run.weights(Modality.AUDIO)
    assert all(torch.equal(read[name], weights[name]) for name in weights)
    with pytest.raises(InputError, match="trains no 'depth' encoder"):
        run.weights(Modality.DEPTH)


def test_an_unfinished_run_has_no_results(run: RunFolder) -> None:
    with pytest.raises(InputError, match=r"is not finished; go on with it by .*--resume"):
        run.weights(Modality.AUDIO)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not the folder of a training run"):
        RunFolder(tmp_path).config()


def test_damaged_files_are_named(run: RunFolder) -> None:
    (run.path / "data.json").write_text('{"both": {"items": "three"}}')
    with pytest.raises(InputError, match=r"cannot read .*data\.json.*items"):
        run.data()
    run.finish({Modality.AUDIO: {"a": torch.zeros(4)}}, (EDGE,))
    run.node(Modality.AUDIO).write_bytes(run.node(Modality.AUDIO).read_bytes()[:20])
    with pytest.raises(InputError, match=r"cannot read the weights .*audio\.safetensors"):
        run.weights(Modality.AUDIO)


def test_a_full_disk_leaves_the_earlier_file(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = run.node(Modality.AUDIO)
    write_tensors(path, {"a": torch.ones(2)})

    def full(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sensebind_engines.training.files.save_file", full)
    with pytest.raises(SinkError, match=r"audio\.safetensors.*No space left.*--resume.*untouched"):
        write_tensors(path, {"a": torch.zeros(2)})
    assert torch.equal(read_tensors(path)["a"], torch.ones(2))
    assert list(path.parent.iterdir()) == [path]
