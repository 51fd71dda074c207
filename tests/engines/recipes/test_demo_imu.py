# SPDX-License-Identifier: Apache-2.0
"""The recipe `demo-imu`: with stand-ins for the slow parts, and rebuilt in full by hand."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="the recipe needs the recipes extra")
pytest.importorskip("mujoco", reason="the recipe needs the recipes extra")
pytest.importorskip("onnxscript", reason="the recipe needs the recipes extra")

from sensebind.bundle_folder import open_bundle
from sensebind.errors import InputError
from sensebind.specs import EncoderSpec, TensorSpec, TextSpec
from sensebind.storage import data_folder, sha256_of_file
from sensebind.types import Modality
from sensebind_engines.export.check import run_graph
from sensebind_engines.models import minilm
from sensebind_engines.recipes import anchor, demo_imu
from sensebind_engines.recipes.imu_encoder import train_imu_encoder
from sensebind_engines.recipes.imu_evaluation import BORDERLINE
from sensebind_engines.recipes.simulation.dataset import EpisodeSet
from sensebind_engines.recipes.simulation.domains import SPLITS
from sensebind_engines.recipes.simulation.labels import CLASSES, UNSEEN_CLASS
from sensebind_engines.training.loop import Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

LABELS = (*CLASSES, BORDERLINE, UNSEEN_CLASS, "")


def _episodes(_cache: Path, _seed: int) -> EpisodeSet:
    """One episode of 3 s per split and label: noise whose level tells the label."""
    rng = np.random.default_rng(0)
    owners = [(split, number) for split in SPLITS for number in range(len(LABELS))]
    samples = [(0.1 + number) * rng.normal(size=(1200, 6)) for _, number in owners]
    intents = np.array([LABELS[number] for _, number in owners])
    return EpisodeSet(
        stamps_s=np.tile(np.arange(1200) / 400, len(owners)),
        samples=np.concatenate(samples).astype(np.float32),
        starts=np.arange(len(owners) + 1) * 1200,
        splits=np.array([split for split, _ in owners]),
        intents=intents,
        floors=np.full(len(owners), "plane"),
        window_episode=np.arange(len(owners)),
        window_end_s=np.full(len(owners), 2.5),
        window_label=intents,
        unstable=np.array(0),
    )


def _texts(texts: Sequence[str]) -> NDArray[np.float32]:
    """A unit vector for every text, drawn from its letters."""
    rows = [np.random.default_rng(list(text.encode())).normal(size=384) for text in texts]
    vectors = np.array(rows, np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _anchor(out: Path) -> anchor.AnchorFiles:
    """Files with the names of the anchor's, and their entries."""
    for name in ("vision.onnx", "text.onnx", "tokenizer.json"):
        (out / name).write_text(name, encoding="utf-8")
    text = EncoderSpec(
        onnx="text.onnx",
        inputs=tuple(
            TensorSpec(name=name, dtype="int64", shape=("batch", "tokens"))
            for name in ("input_ids", "attention_mask")
        ),
        output=anchor.VISION.output,
        preprocess=TextSpec(
            tokenizer="tokenizer.json",
            tokenizer_sha256=sha256_of_file(out / "tokenizer.json"),
            max_tokens=8,
        ),
    )
    return anchor.AnchorFiles(
        encoders={Modality.VISION: anchor.VISION, Modality.TEXT: text},
        golden={"vision/embedding": np.zeros((1, 384), np.float32)},
        figures={"vision_cosine_min": 0.5},
        licences=(),
    )


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    short = Schedule(steps=2, warmup_steps=1, learning_rate=1e-3)
    monkeypatch.setattr(demo_imu, "build_anchor", _anchor)
    monkeypatch.setattr(demo_imu, "load_episodes", _episodes)
    monkeypatch.setattr(demo_imu, "_deployed_text", lambda _: _texts)
    monkeypatch.setattr(minilm, "embed_texts", _texts)
    monkeypatch.setattr(demo_imu, "train_imu_encoder", partial(train_imu_encoder, schedule=short))


@pytest.mark.usefixtures("stand_ins")
def test_bundle_is_complete_valid_and_the_same_twice(tmp_path: Path) -> None:
    built = demo_imu.build(tmp_path / "one", tmp_path)
    folder = open_bundle(built)
    folder.verify()
    edge = folder.manifest.binding_graph[1]
    assert (edge.source, edge.target, edge.trained) == (Modality.IMU, Modality.TEXT, True)
    assert folder.manifest.training["recipe"] == "demo-imu"
    with np.load(built / "golden.npz") as golden:
        again = run_graph((built / "imu.onnx").read_bytes(), {"features": golden["imu/features"]})
        assert again == pytest.approx(golden["imu/embedding"], abs=1e-5)
        assert "vision/embedding" in golden
    prompts = json.loads((built / "prompts.json").read_text(encoding="utf-8"))
    assert tuple(prompts["imu"]) == CLASSES
    assert prompts["vision"]
    assert "TEXT-BOUND, SIMULATED" in (built / "EVALUATION.md").read_text(encoding="utf-8")
    twin = demo_imu.build(tmp_path / "two", tmp_path)
    for path in sorted(built.iterdir()):
        assert path.read_bytes() == (twin / path.name).read_bytes(), path.name


def test_a_folder_with_content_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(InputError, match="is not empty; give a new folder"):
        demo_imu.build(tmp_path, tmp_path)
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "keep"


@pytest.mark.slow
def test_full_rebuild_gives_the_same_bytes_and_the_shipped_ones(tmp_path: Path) -> None:
    """Minutes: simulates everything once, trains six encoders.

    The shipped bytes are compared only where the manifest's versions are installed; another
    processor may still round differently.
    """
    first = demo_imu.build(tmp_path / "one", tmp_path / "cache")
    second = demo_imu.build(tmp_path / "two", tmp_path / "cache")
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in second.iterdir())
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    shipped = data_folder() / "bundles" / "demo"
    versions = [open_bundle(folder).manifest.training["versions"] for folder in (shipped, first)]
    if versions[0] == versions[1]:
        for name in names:
            assert (first / name).read_bytes() == (shipped / name).read_bytes(), name
