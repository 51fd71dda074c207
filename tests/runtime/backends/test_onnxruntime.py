# SPDX-License-Identifier: Apache-2.0
"""The ONNX Runtime backend runs what the manifest promises and names what differs."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from sensebind.backends import open_engine, resolve_backend
from sensebind.backends.tensors import check_output
from sensebind.bundle_folder import open_bundle
from sensebind.errors import BackendError, BundleError, InputError
from sensebind.specs import EncoderSpec, TensorSpec
from sensebind.types import Modality

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sensebind.backends.base import Engine

onnx = pytest.importorskip("onnx", reason="damages graphs with the onnx package")


@pytest.fixture
def spec(bundle_folder: Path) -> EncoderSpec:
    return open_bundle(bundle_folder).encoder(Modality.IMU)


def opened(path: Path, spec: EncoderSpec, **changes: Any) -> Engine:
    spec = msgspec.structs.replace(spec, **changes)
    return open_engine("onnxruntime", path, spec.inputs, spec.output)


def test_runs_any_batch(bundle_folder: Path, spec: EncoderSpec) -> None:
    engine = opened(bundle_folder / "imu.onnx", spec)
    for batch in (1, 3):
        vectors = engine.run({"features": np.ones((batch, 6, 100), np.float32)})
        assert vectors.shape == (batch, 32)
        assert vectors.dtype == np.float32
    assert (engine.backend, engine.precision) == ("onnxruntime", "fp32")


def test_equals_the_reference_evaluation(bundle_folder: Path, spec: EncoderSpec) -> None:
    from onnx.reference import ReferenceEvaluator

    features = np.random.default_rng(0).standard_normal((2, 6, 100), dtype=np.float32)
    (expected,) = ReferenceEvaluator(str(bundle_folder / "imu.onnx")).run(
        None, {"features": features}
    )
    found = opened(bundle_folder / "imu.onnx", spec).run({"features": features})
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, r"inputs are \[\], expected \['features'\]"),
        ({"x": np.zeros((1, 6, 100), np.float32)}, r"'features' is missing; given are \['x'\]"),
        (
            {"features": np.zeros((1, 6, 99), np.float32)},
            r"'features' is float32 \[1, 6, 99\], expected float32 \[1, 6, 100\]",
        ),
        ({"features": np.zeros((6, 100), np.float32)}, r"float32 \[6, 100\], expected"),
        ({"features": np.zeros((1, 6, 100))}, r"is float64 \[1, 6, 100\], expected float32"),
        ({"features": np.zeros((0, 6, 100), np.float32)}, r"\[0, 6, 100\], expected .* not empty"),
    ],
)
def test_wrong_inputs_are_named(
    bundle_folder: Path, spec: EncoderSpec, inputs: dict[str, Any], message: str
) -> None:
    engine = opened(bundle_folder / "imu.onnx", spec)
    with pytest.raises(InputError, match=message):
        engine.run(inputs)


def test_axes_of_one_name_have_one_length(bundle_folder: Path) -> None:
    text = open_bundle(bundle_folder).encoder(Modality.TEXT)
    engine = opened(bundle_folder / "text.onnx", text)
    ids, mask = np.zeros((1, 5), np.int64), np.ones((1, 4), np.int64)
    with pytest.raises(
        InputError, match=r"'attention_mask' is int64 \[1, 4\], expected .*\[1, 5\]"
    ):
        engine.run({"input_ids": ids, "attention_mask": mask})


def tensor(name: str = "features", dtype: Any = "float32", *shape: int | str) -> TensorSpec:
    return TensorSpec(name=name, dtype=dtype, shape=("batch", *(shape or (6, 100))))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"inputs": (tensor("samples"),)},
            r"graph's inputs are \['features'\], the manifest says \['samples'\]",
        ),
        (
            {"inputs": (tensor("features", "float16"),)},
            r"input is 'features' float32 .*, the manifest says 'features' float16",
        ),
        (
            {"inputs": (tensor("features", "float32", 6, 200),)},
            r"\[batch, 6, 100\], the manifest says .*\[batch, 6, 200\]; export",
        ),
        ({"inputs": (tensor("features", "float32", 6),)}, r"the manifest says .*\[batch, 6\]"),
        ({"inputs": (tensor("features", "float32", 6, "t"),)}, r"says .*\[batch, 6, t\]"),
        (
            {"output": tensor("vector", "float32", 32)},
            r"graph's outputs are \['embedding'\], the manifest says \['vector'\]",
        ),
        ({"output": tensor("embedding", "float32", 16)}, r"output is .*32\], .*16\]"),
    ],
)
def test_graphs_that_differ_from_the_manifest_are_refused(
    bundle_folder: Path, spec: EncoderSpec, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        opened(bundle_folder / "imu.onnx", spec, **changes)


def test_a_graph_with_a_fixed_batch_is_refused(bundle_copy: Path, spec: EncoderSpec) -> None:
    def fix_batch(model: Any) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1

    rewrite(bundle_copy / "imu.onnx", fix_batch)
    with pytest.raises(BundleError, match=r"\[1, 6, 100\], the manifest says .*\[batch, 6, 100\]"):
        opened(bundle_copy / "imu.onnx", spec)


def rewrite(path: Path, change: Callable[[Any], None]) -> None:
    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("kept", [0, 100, -200])
def test_cut_graphs_are_refused_quietly(
    bundle_copy: Path, spec: EncoderSpec, kept: int, capfd: pytest.CaptureFixture[str]
) -> None:
    path = bundle_copy / "imu.onnx"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BackendError, match=r"ONNX Runtime \S+ cannot load .*imu.onnx: "):
        opened(path, spec)
    assert capfd.readouterr() == ("", "")


def test_failing_runs_are_reported_quietly(
    bundle_copy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = open_bundle(bundle_copy).encoder(Modality.TEXT)
    engine = opened(bundle_copy / "text.onnx", text)
    ids = np.full((1, 2), 10_000, np.int64)
    with pytest.raises(BackendError, match=r"ONNX Runtime failed on .*text.onnx: .*Gather"):
        engine.run({"input_ids": ids, "attention_mask": np.ones_like(ids)})
    assert capfd.readouterr() == ("", "")


def test_closed_engines_say_so(bundle_folder: Path, spec: EncoderSpec) -> None:
    engine = opened(bundle_folder / "imu.onnx", spec)
    engine.close()
    with pytest.raises(BackendError, match=r"engine of .*imu.onnx is closed"):
        engine.run({"features": np.zeros((1, 6, 100), np.float32)})


def test_outputs_of_the_wrong_shape_are_reported() -> None:
    with pytest.raises(BackendError, match=r"is float32 \[2, 8\], expected float32 \[2, 32\]"):
        check_output(tensor("embedding", "float32", 32), np.zeros((2, 8), np.float32), 2)


def test_backends_are_resolved_with_a_reason() -> None:
    assert resolve_backend("onnxruntime") == ("onnxruntime", "asked for")
    name, reason = resolve_backend("auto")
    assert name == "onnxruntime"
    assert "CPU" in reason
    with pytest.raises(InputError, match=r"no backend 'cuda'; choose one of: auto, onnxruntime"):
        resolve_backend("cuda")


def test_the_library_reports_nothing_and_leaves_nothing_behind(
    bundle_folder: Path, tmp_path: Path
) -> None:
    program = (
        "import sys; from sensebind import Bundle; Bundle.load(sys.argv[1]).encode_text(['a dog'])"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"SENSEBIND_CACHE": str(tmp_path / "ours")}
    done = subprocess.run(
        [sys.executable, "-c", program, str(bundle_folder)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "telemetry" not in done.stderr
    assert [p for p in tmp_path.rglob("*onnxruntime*") if p.is_file()] == []
