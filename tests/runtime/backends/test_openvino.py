# SPDX-License-Identifier: Apache-2.0
"""The OpenVINO backend comes near ONNX Runtime's vectors, and reports nothing to anybody."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from sensebind.backends import open_engine
from sensebind.bundle_folder import open_bundle
from sensebind.errors import BackendError, BundleError, InputError
from sensebind.types import Modality

pytest.importorskip("openvino", reason="OpenVINO is not installed (extra openvino)")

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.backends.base import Engine
    from sensebind.specs import EncoderSpec


@pytest.fixture
def spec(bundle_folder: Path) -> EncoderSpec:
    return open_bundle(bundle_folder).encoder(Modality.IMU)


def opened(path: Path, spec: EncoderSpec, backend: str = "openvino", **changes: Any) -> Engine:
    spec = msgspec.structs.replace(spec, **changes)
    return open_engine(backend, path, spec.inputs, spec.output)


@pytest.mark.parametrize("modality", list(Modality))
def test_vectors_are_those_of_onnx_runtime_up_to_the_precision(
    modality: Modality, bundle_folder: Path
) -> None:
    folder = open_bundle(bundle_folder)
    if modality not in folder.manifest.encoders:
        pytest.fail(f"the test bundle has no {modality}")
    spec = folder.encoder(modality)
    noise = np.random.default_rng(0)
    features: dict[str, Any] = {}
    for tensor in spec.inputs:
        shape = (3, *(axis if isinstance(axis, int) else 5 for axis in tensor.shape[1:]))
        whole = tensor.dtype == "int64"
        features[tensor.name] = np.ones(shape, np.int64) if whole else noise.normal(size=shape)
        features[tensor.name] = features[tensor.name].astype(tensor.dtype)
    engine = opened(folder.file(spec.onnx), spec)
    expected = opened(folder.file(spec.onnx), spec, "onnxruntime").run(features)
    found = engine.run(features)
    cosine = (found * expected).sum(axis=1) / np.linalg.norm(found, axis=1)
    assert (engine.backend, engine.precision in ("bf16", "fp32")) == ("openvino", True)
    assert cosine.min() > (0.999 if engine.precision == "bf16" else 0.999999)


def test_a_vector_outlives_the_next_run(bundle_folder: Path, spec: EncoderSpec) -> None:
    engine = opened(bundle_folder / "imu.onnx", spec)
    noise = np.random.default_rng(0).standard_normal((2, 1, 6, 100)).astype(np.float32)
    first = engine.run({"features": noise[0]})
    kept = first.copy()
    engine.run({"features": noise[1]})
    np.testing.assert_array_equal(first, kept)


def test_wrong_inputs_and_graphs_are_named(bundle_copy: Path, spec: EncoderSpec) -> None:
    path = bundle_copy / "imu.onnx"
    engine = opened(path, spec)
    with pytest.raises(InputError, match=r"'features' is float32 \[1, 6, 99\], expected"):
        engine.run({"features": np.zeros((1, 6, 99), np.float32)})
    longer = msgspec.structs.replace(spec.inputs[0], shape=("batch", 6, 200))
    with pytest.raises(BundleError, match=r"\[\?, 6, 100\], the manifest says .*6, 200\]"):
        opened(path, spec, inputs=(longer,))
    other = msgspec.structs.replace(spec.inputs[0], name="samples")
    with pytest.raises(BundleError, match=r"inputs are \['features'\], the manifest says"):
        opened(path, spec, inputs=(other,))
    engine.close()
    with pytest.raises(BackendError, match=r"engine of .*imu.onnx is closed"):
        engine.run({"features": np.zeros((1, 6, 100), np.float32)})
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BackendError, match=r"OpenVINO \S+ cannot load .*imu.onnx: "):
        opened(path, spec)


def test_the_library_reports_nothing_and_leaves_nothing_behind(
    bundle_folder: Path, tmp_path: Path
) -> None:
    program = (
        "import sys; from sensebind import Bundle\n"
        "Bundle.load(sys.argv[1], backend='openvino').encode_text(['a dog'])\n"
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry')]"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "SENSEBIND_CACHE")}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program, str(bundle_folder)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "intel").exists()
