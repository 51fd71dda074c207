# SPDX-License-Identifier: Apache-2.0
"""Finished runs become bundles in the space of their frozen towers, or in one of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

pytest.importorskip("torch", reason="export needs the train extra")
pytest.importorskip("onnxscript", reason="export needs the train extra")

import torch
from typer.testing import CliRunner

from sensebind import Bundle
from sensebind.bundle_folder import open_bundle
from sensebind.errors import InputError
from sensebind.storage import data_folder
from sensebind.types import Modality
from sensebind_engines.commands.export import export_app
from sensebind_engines.export.encoder import with_tokenizer
from sensebind_engines.export.run import export_run
from sensebind_engines.models.build import build_encoder
from sensebind_engines.models.sizes import default_config
from sensebind_engines.training.config_file import config_from_table
from sensebind_engines.training.run_folder import (
    AnchorRecord,
    DataRecord,
    EdgeRecord,
    Provenance,
    RunFolder,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind_engines.models.config import EncoderConfig

DIM = 384
RECORD = DataRecord(modalities=(Modality.IMU,), items=3, content_sha256="00")


def run_of(
    folder: Path,
    encoders: list[EncoderConfig],
    frozen: list[Modality],
    pairs: list[tuple[str, str]],
    tokenizer: Path | None = None,
    manifest: str = "/x.jsonl",
) -> RunFolder:
    """A run's folder as training leaves it, with random weights."""
    nodes: dict[str, Any] = {m.value: {"anchor": "demo"} for m in frozen}
    nodes |= {config.modality.value: {"size": "tiny"} for config in encoders}
    edges = [{"pair": list(pair), "data": "d"} for pair in pairs]
    schedule = {"steps": 1, "warmup_steps": 1, "learning_rate": 1e-3}
    config = config_from_table(
        {"dim": DIM, "nodes": nodes, "edges": edges, "schedule": schedule,
         "data": {"d": {"manifest": manifest}}}
    )  # fmt: skip
    demo = open_bundle("demo").manifest
    anchors = {m: AnchorRecord("demo", demo.encoder_id(m), demo.space_id) for m in frozen}
    by_modality = {config.modality: config for config in encoders}
    run = RunFolder(folder)
    run.begin(config, Provenance({"torch": "x"}, {"d": RECORD}, by_modality, anchors, tokenizer))
    torch.manual_seed(0)
    weights = {m: build_encoder(config).state_dict() for m, config in by_modality.items()}
    records = tuple(EdgeRecord(pair, "d", "infonce", 0.2, 1.0) for pair in pairs)
    run.finish(weights, records)
    return run


@pytest.fixture(scope="module")
def bound(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Two senses bound to the demo bundle's frozen text."""
    encoders = [
        default_config(Modality.IMU, "conv-tiny", DIM),
        default_config(Modality.DEPTH, "conv-tiny", DIM),
    ]
    folder = tmp_path_factory.mktemp("bound") / "run"
    return run_of(folder, encoders, [Modality.TEXT], [("imu", "text"), ("depth", "text")])


def test_a_run_bound_to_the_demo_joins_its_space(bound: RunFolder, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    done = CliRunner().invoke(export_app, [str(bound.path), str(out)])
    assert done.exit_code == 0, done.output
    assert "imu: exported, max |ONNX Runtime - torch|" in done.output
    assert "vision, text: taken over as they are" in done.output or "text, vision" in done.output
    folder = open_bundle(out)
    folder.verify()
    manifest, demo = folder.manifest, open_bundle("demo").manifest
    assert manifest.space_id == demo.space_id
    assert set(manifest.anchor) == {Modality.VISION, Modality.TEXT}
    assert (manifest.name, manifest.licence) == ("mine", demo.licence)
    edges = {(e.source.value, e.target.value): (e.trained, e.loss) for e in manifest.binding_graph}
    assert {frozenset(pair): told for pair, told in edges.items()} == {
        frozenset(("imu", "text")): (True, "infonce"),
        frozenset(("depth", "text")): (True, "infonce"),
        frozenset(("imu", "depth")): (False, "none"),
    }
    assert manifest.training["data"] == {
        "d": {"modalities": ["imu"], "items": 3, "content_sha256": "00"}
    }


def test_the_weights_are_those_of_the_run(bound: RunFolder, tmp_path: Path) -> None:
    export_run(bound.path, tmp_path / "out", name="other", licence="MIT")
    encoder = build_encoder(bound.encoders()[Modality.IMU]).eval()
    encoder.load_state_dict(bound.weights(Modality.IMU))
    features = np.random.default_rng(0).standard_normal((6, 400), dtype=np.float32)
    with Bundle.load(tmp_path / "out") as bundle, torch.inference_mode():
        assert (bundle.name, bundle.manifest.licence) == ("other", "MIT")
        (vector,) = bundle.encoder("imu").encode([{"features": features}])
        expected = encoder(torch.from_numpy(features)[None])[0].numpy()
    assert np.abs(vector - expected).max() <= 1e-5


def test_a_run_without_frozen_towers_has_a_space_of_its_own(tmp_path: Path) -> None:
    tokenizer = data_folder() / "bundles" / "demo" / "tokenizer.json"
    overrides = {"network": {"blocks": 1, "width": 32}}
    text = default_config(Modality.TEXT, "tiny", DIM, overrides)
    encoders = [
        default_config(Modality.VISION, "conv-tiny", DIM),
        with_tokenizer(text, tokenizer, 16),
    ]
    run = run_of(tmp_path / "run", encoders, [], [("vision", "text")], tokenizer)
    done = export_run(run.path, tmp_path / "out")
    assert set(done.anchor) == {Modality.VISION, Modality.TEXT}
    with Bundle.load(tmp_path / "out") as bundle:
        assert bundle.space_id != open_bundle("demo").manifest.space_id
        assert bundle.manifest.licence == "LicenseRef-unspecified"
        assert bundle.encode_text(["a dog"]).shape == (1, DIM)


def test_what_is_no_finished_run_is_refused(bound: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not the folder of a training run"):
        export_run(tmp_path, tmp_path / "out")
    with pytest.raises(InputError, match="exists; name a new folder"):
        export_run(bound.path, bound.path)


def test_another_anchor_than_the_runs_is_refused(
    bound: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {Modality.TEXT: AnchorRecord("demo", "f" * 64, "0" * 64)}
    monkeypatch.setattr(RunFolder, "anchors", lambda _: other)
    with pytest.raises(InputError, match="bound to the text tower ffffffffffffffff of 'demo'"):
        export_run(bound.path, tmp_path / "out")


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    encoders = [default_config(Modality.IMU, "conv-tiny", DIM)]
    run = run_of(tmp_path / "run", encoders, [Modality.TEXT], [("imu", "text")])
    from safetensors.torch import save_file

    save_file({"a": torch.ones(1)}, run.node(Modality.IMU))
    with pytest.raises(InputError, match=r"imu.safetensors does not fit the run's imu encoder"):
        export_run(run.path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_half_graphs_are_measured_on_the_training_data(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for number in range(3):
        samples = rng.standard_normal((1200, 6)) + np.array([0, 0, 9.8, 0, 0, 0])
        path = tmp_path / f"{number}.npz"
        np.savez(path, t_ns=np.arange(1200) * 2_500_000, values=samples)
        rows.append(json.dumps({"imu": path.name, "text": f"ride {number}"}))
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    encoders = [default_config(Modality.IMU, "conv-tiny", DIM)]
    manifest = str(tmp_path / "rows.jsonl")
    run = run_of(tmp_path / "run", encoders, [Modality.TEXT], [("imu", "text")], manifest=manifest)
    done = CliRunner().invoke(export_app, [str(run.path), str(tmp_path / "out"), "--fp16"])
    assert done.exit_code == 0, done.output
    assert "imu: half: imu.fp16.onnx, largest value" in done.output
    bundle = open_bundle(tmp_path / "out")
    half = bundle.manifest.encoders[Modality.IMU].fp16
    assert half is not msgspec.UNSET
    assert half.largest_activation > 9
    bundle.verify([half.onnx])


def test_half_graphs_need_the_training_data(bound: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.jsonl"):
        export_run(bound.path, tmp_path / "out", half="fp32")
    assert not (tmp_path / "out").exists()
