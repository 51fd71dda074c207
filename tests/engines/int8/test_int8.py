# SPDX-License-Identifier: Apache-2.0
"""INT8 graphs keep trained vectors, or are not written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

pytest.importorskip("torch", reason="export needs the train extra")
pytest.importorskip("onnxscript", reason="export needs the train extra")

import torch
from msgspec import UNSET
from typer.testing import CliRunner

from sensebind.backends import INT8, open_engine
from sensebind.backends.onnx_session import open_session
from sensebind.bundle import Bundle
from sensebind.bundle_folder import open_bundle
from sensebind.errors import BundleError, InputError
from sensebind.specs import TensorSpec
from sensebind.types import Modality
from sensebind_engines.commands.export import export_app
from sensebind_engines.evaluation.features import features_of
from sensebind_engines.evaluation.metrics import cosines
from sensebind_engines.export.encoder import export_encoder
from sensebind_engines.int8 import bundle as int8_bundle
from sensebind_engines.int8 import export as int8_export
from sensebind_engines.int8.bundle import copy_with_int8
from sensebind_engines.int8.export import export_int8
from sensebind_engines.models.build import build_encoder
from sensebind_engines.models.sizes import default_config

if TYPE_CHECKING:
    from sensebind.types import Features

ROWS = 32


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Features]:
    """A small transformer, and features of many sizes, so that its vectors differ."""
    torch.manual_seed(0)
    encoder = build_encoder(default_config(Modality.IMU, "tiny", 32))
    folder = tmp_path_factory.mktemp("exported")
    made = export_encoder(encoder, folder, batches=(1,))
    (tensor,) = made.spec.inputs
    noise = np.random.default_rng(0).normal(size=(ROWS, *made.golden[tensor.name].shape[1:]))
    sizes = np.linspace(0.2, 3, ROWS)[:, np.newaxis, np.newaxis]
    return folder / made.spec.onnx, {tensor.name: (sizes * noise).astype(np.float32)}


@pytest.fixture
def transformer(exported: tuple[Path, Features], tmp_path: Path) -> tuple[Path, Features]:
    path, features = exported
    return Path(shutil.copy(path, tmp_path)), dict(features)


def test_dynamic_keeps_a_transformers_vectors(transformer: tuple[Path, Features]) -> None:
    path, features = transformer
    spec = export_int8(path, features, "dynamic").spec
    written = path.parent / spec.onnx
    assert (spec.onnx, spec.method, spec.rows) == ("imu.int8.onnx", "dynamic", ROWS // 2)
    assert spec.product_share > 0.9
    assert written.stat().st_size < 0.4 * path.stat().st_size
    second = {name: array[ROWS // 2 :] for name, array in features.items()}
    rows = [{n: a[k : k + 1] for n, a in second.items()} for k in range(ROWS // 2)]
    sessions = [open_session(str(each), 1) for each in (path, written)]
    fp32, int8 = (np.concatenate([s.run(None, row)[0] for row in rows]) for s in sessions)
    cosine = cosines(int8.astype(np.float64), fp32)
    assert spec.least_cosine == pytest.approx(cosine.min(), abs=1e-6)
    assert spec.mean_cosine == pytest.approx(cosine.mean(), abs=1e-6)
    assert 0.98 < cosine.min() < 1


def test_operators_are_standard_ones(transformer: tuple[Path, Features]) -> None:
    path, features = transformer
    model = onnx.load(str(path.parent / export_int8(path, features, "dynamic").spec.onnx))
    operators = [node.op_type for node in model.graph.node]
    assert [entry.domain for entry in model.opset_import] == [""]
    assert operators.count("MatMulInteger") == operators.count("DynamicQuantizeLinear") > 8
    assert {node.domain for node in model.graph.node} == {""}


def test_a_row_does_not_depend_on_others(transformer: tuple[Path, Features]) -> None:
    path, features = transformer
    written = path.parent / export_int8(path, features, "dynamic").spec.onnx
    (name,) = features
    batch = {name: features[name][::8]}
    inputs = (TensorSpec(name=name, dtype="float32", shape=("batch", *batch[name].shape[1:])),)
    output = TensorSpec(name="embedding", dtype="float32", shape=("batch", 32))
    engine = open_engine(INT8, written, inputs, output, precision="int8")
    rows = [engine.run({name: batch[name][k : k + 1]}) for k in range(4)]
    assert engine.run(batch).tobytes() == np.concatenate(rows).tobytes()
    (together,) = open_session(str(written), 1).run(None, batch)
    assert together.tobytes() != np.concatenate(rows).tobytes()  # what the engine keeps apart


def test_a_vector_that_moved_too_far_refuses_the_graph(
    transformer: tuple[Path, Features], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, features = transformer
    monkeypatch.setattr(int8_export, "LEAST_COSINE", 0.99999)
    with pytest.raises(BundleError, match=r"in dynamic INT8 a vector has cosine 0\.\d+ .* 0.99999"):
        export_int8(path, features, "dynamic")
    assert not path.with_name("imu.int8.onnx").exists()


def test_where_all_vectors_are_alike_a_cosine_proves_nothing(
    transformer: tuple[Path, Features],
) -> None:
    path, features = transformer
    alike = {name: array[:1] + 1e-3 * array for name, array in features.items()}
    with pytest.raises(BundleError, match=r"10% of 0\.0\d+, the median distance between"):
        export_int8(path, alike, "dynamic")


def test_too_few_windows_are_refused(transformer: tuple[Path, Features]) -> None:
    path, features = transformer
    few = {name: array[:15] for name, array in features.items()}
    with pytest.raises(InputError, match=r"imu.onnx: 15 windows of features, expected at least 16"):
        export_int8(path, few, "dynamic")


@pytest.fixture(scope="module")
def sample() -> dict[Modality, Features]:
    """Windows of the sample recording, for the trained encoders of the demo bundle."""
    return features_of(open_bundle("demo").manifest, "sample", ROWS)


@pytest.mark.parametrize(
    ("modality", "method", "refused"),
    [
        (Modality.AUDIO, "static", None),
        (Modality.AUDIO, "dynamic", r"take 1% of its multiplications .* try the static method"),
        (Modality.DEPTH, "static", r"in static INT8 a vector has cosine 0\.[5-8]"),
        (Modality.VISION, "static", r"in static INT8 a vector has cosine 0\.[5-9]"),
    ],
)
def test_trained_weights_decide(
    modality: Modality,
    method: str,
    refused: str | None,
    sample: dict[Modality, Features],
    tmp_path: Path,
) -> None:
    demo = open_bundle("demo")
    path = tmp_path / demo.encoder(modality).onnx
    shutil.copy(demo.file(path.name), path)
    if refused is None:
        spec = export_int8(path, sample[modality], method).spec  # type: ignore[arg-type]
        assert spec.least_cosine > 0.98
        assert spec.product_share == 1
    else:
        with pytest.raises(BundleError, match=refused):
            export_int8(path, sample[modality], method)  # type: ignore[arg-type]


def test_a_copy_of_a_bundle_has_the_graphs_that_stand_it(
    sample: dict[Modality, Features], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = {m: sample[m] for m in (Modality.AUDIO, Modality.DEPTH)}
    monkeypatch.setattr(int8_bundle, "features_of", lambda *_: some)
    arguments = ["demo", str(tmp_path / "out"), "--int8", "--method", "static", "--data", "sample"]
    done = CliRunner().invoke(export_app, arguments, catch_exceptions=False)
    assert "audio: static INT8: audio.int8.onnx, 100.0% of the products, cosine" in done.output
    assert "depth: stays FP32: depth.onnx: in static INT8 a vector has cosine" in done.output
    assert "text: stays FP32: the data have none of it" in done.output
    demo, copy = open_bundle("demo"), open_bundle(tmp_path / "out")
    copy.verify()
    assert copy.manifest.space_id == demo.manifest.space_id
    assert copy.manifest.files.keys() - demo.manifest.files.keys() == {"audio.int8.onnx"}
    ids = [f.manifest.encoder_id(Modality.AUDIO) for f in (demo, copy)]
    assert ids[0] == ids[1]
    kept = [m for m, e in copy.manifest.encoders.items() if e.int8 is not UNSET]
    assert kept == [Modality.AUDIO]
    with Bundle.load(tmp_path / "out", backend="onnxruntime-int8") as bundle:
        assert bundle.encoder(Modality.AUDIO).precision == "int8"
        assert bundle.encoder(Modality.DEPTH).precision == "fp32"


def test_a_bundle_of_which_nothing_stands_it_is_not_copied(
    sample: dict[Modality, Features], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8_bundle, "features_of", lambda *_: {Modality.IMU: sample[Modality.IMU]})
    with pytest.raises(BundleError, match=r"no encoder of 'demo' stands INT8: .*imu: imu.onnx: "):
        copy_with_int8(open_bundle("demo"), tmp_path / "out", "sample", "dynamic")
    assert list(tmp_path.iterdir()) == []


def test_random_weights_are_refused(bundle_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'test' is a test bundle: .* on trained weights"):
        copy_with_int8(open_bundle(bundle_folder), tmp_path / "out", "sample", "dynamic")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--int8", "--method", "other"], r"--method is 'other', expected dynamic or static"),
        (["--data", "sample"], r"--data copies a bundle with either --fp16 or --int8"),
        (["--data", "sample", "--int8", "--fp16"], r"either --fp16 or --int8 graphs; give one"),
        (["--data", "sample", "--fp16", "--softmax", "x"], r"--softmax is 'x', expected fp32"),
        (["--data", "sample", "--fp16", "--name", "x"], r"a copy of a bundle keeps its own"),
        (["--data", "sample", "--int8", "--licence", "x"], r"--name and --licence are a run's"),
    ],
)
def test_options_that_do_not_fit_are_named(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        CliRunner().invoke(
            export_app, ["demo", str(tmp_path / "out"), *arguments], catch_exceptions=False
        )
