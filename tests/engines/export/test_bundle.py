# SPDX-License-Identifier: Apache-2.0
"""Bundles written by the factory load in the runtime; a failed one leaves nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="export needs the train extra")
pytest.importorskip("onnxscript", reason="export needs the train extra")

from sensebind import Bundle
from sensebind.bundle_folder import open_bundle
from sensebind.errors import BundleError, InputError, SinkError
from sensebind.manifest import EdgeSpec
from sensebind.types import Modality
from sensebind_engines.export.bundle import BundleDraft, new_bundle
from sensebind_engines.export.check import write_lean
from sensebind_engines.export.run import export_run
from sensebind_engines.export.stored import read_lean
from sensebind_engines.half.bundle import copy_with_half
from sensebind_engines.imagebind.importer import import_imagebind
from sensebind_engines.int8.bundle import copy_with_int8
from sensebind_engines.models.build import build_encoder
from sensebind_engines.models.config import input_specs
from sensebind_engines.models.sizes import default_config

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind_engines.models.encoder import Encoder

FINISH: dict[str, Any] = {"name": "x", "anchor": [Modality.IMU], "licence": "Apache-2.0"}
EDGE = EdgeSpec(source=Modality.IMU, target=Modality.TEXT, loss="infonce", trained=True)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """A small IMU encoder in the demo bundle's dimension."""
    return build_encoder(default_config(Modality.IMU, "conv-tiny", 384))


def test_a_trained_encoder_joins_the_demos_anchor(encoder: Encoder, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    demo = open_bundle("demo")
    with new_bundle(out) as draft:
        draft.adopt(demo, Modality.VISION)
        draft.adopt(demo, Modality.TEXT)
        draft.export(encoder)
        draft.finish(
            name="mine",
            anchor=[Modality.VISION, Modality.TEXT],
            licence="Apache-2.0",
            binding_graph=[EDGE],
            training={"seed": 3},
            evaluation="# Evaluation",
        )
    folder = open_bundle(out)
    folder.verify()
    assert folder.manifest.space_id == demo.manifest.space_id
    assert {"LICENSE-minilm.txt", "tokenizer.json", "EVALUATION.md"} <= set(folder.manifest.files)
    with np.load(out / "golden.npz") as golden, Bundle.load(out) as bundle:
        for modality in (Modality.IMU, Modality.VISION):
            vectors = bundle.encoder(modality).encode(
                [{"features": row} for row in golden[f"{modality}/features"]]
            )
            assert np.abs(vectors - golden[f"{modality}/embedding"]).max() <= 1e-5
        assert bundle.encode_text(["a dog"]).shape == (1, 384)


def test_weights_beside_a_half_graph_are_adopted_too(encoder: Encoder, tmp_path: Path) -> None:
    shape = [axis for axis in input_specs(encoder.config)[0].shape if isinstance(axis, int)]
    rows = np.random.default_rng(0).standard_normal((2, *shape))
    with new_bundle(tmp_path / "large") as draft:
        draft.export(encoder)
        draft.add_half(Modality.IMU, {"features": rows.astype(np.float32)})
        half = draft.folder / "imu.fp16.onnx"
        write_lean(read_lean(half), half, limit_bytes=0)
        draft.finish(**FINISH)
    with new_bundle(tmp_path / "adopting") as draft:
        draft.adopt(open_bundle(tmp_path / "large"), Modality.IMU)
        draft.finish(**FINISH)
    graphs = open_bundle(tmp_path / "adopting").graphs(Modality.IMU)
    assert graphs == {"fp32": ["imu.onnx"], "fp16": ["imu.fp16.onnx", "imu.fp16.onnx.data"]}


def test_an_existing_folder_is_not_touched(encoder: Encoder, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(InputError, match="exists; name a new folder"), new_bundle(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize(
    ("name", "told"),
    [("file/out", "'.*file' is no folder"), ("folder/out", "'.*folder' is read-only for you")],
)
def test_a_place_that_cannot_be_written_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(os, "access", lambda *_: False)  # the super-user may write anywhere
    out = tmp_path / name
    with pytest.raises(InputError, match=told):
        export_run(tmp_path / "no run", out)
    with pytest.raises(InputError, match=told):
        import_imagebind(tmp_path / "no file", out, [Modality.IMU])
    with pytest.raises(InputError, match=told):
        copy_with_half(open_bundle("demo"), out, "no data", "fp32")
    with pytest.raises(InputError, match=told):
        copy_with_int8(open_bundle("demo"), out, "no data", "dynamic")


def test_an_empty_folder_may_be_filled(encoder: Encoder, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with new_bundle(out) as draft:
        draft.export(encoder, batches=(1,))
        draft.finish(**FINISH)
    assert open_bundle(out).manifest.name == "x"


def failing(out: Path, problem: Exception) -> None:
    """Begin a bundle and fail half-way."""
    with new_bundle(out) as draft:
        draft.put("NOTICE.txt", b"half done")
        raise problem


@pytest.mark.parametrize(
    ("problem", "expected", "message"),
    [
        (KeyError("x"), KeyError, "x"),
        (OSError(28, "No space left on device"), SinkError, "No space left.*nothing was left"),
    ],
)
def test_a_failure_leaves_nothing(
    tmp_path: Path, problem: Exception, expected: type[Exception], message: str
) -> None:
    with pytest.raises(expected, match=message):
        failing(tmp_path / "out", problem)
    assert list(tmp_path.iterdir()) == []


def test_a_draft_without_an_end_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle"), new_bundle(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    draft = BundleDraft(tmp_path)
    draft.put("LICENSE", b"one")
    draft.put("LICENSE", b"one")
    with pytest.raises(InputError, match="'LICENSE' with different content"):
        draft.put("LICENSE", b"two")


def test_a_modality_comes_once(encoder: Encoder, tmp_path: Path) -> None:
    draft = BundleDraft(tmp_path)
    draft.export(encoder, batches=(1,))
    with pytest.raises(InputError, match="the bundle has a 'imu' encoder already"):
        draft.export(encoder, batches=(1,))
