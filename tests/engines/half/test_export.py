# SPDX-License-Identifier: Apache-2.0
"""Half graphs keep the vectors under strict rounding, or are not written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

pytest.importorskip("torch", reason="export needs the train extra")
pytest.importorskip("onnxscript", reason="export needs the train extra")

import torch
from onnx import TensorProto, numpy_helper

from sensebind.backends.onnx_session import open_session
from sensebind.errors import BundleError, InputError
from sensebind.types import Modality
from sensebind_engines.evaluation.metrics import cosines
from sensebind_engines.export.encoder import export_encoder
from sensebind_engines.export.lean import LeanGraph, full_graph
from sensebind_engines.half.export import export_half
from sensebind_engines.half.graph import with_half_weights
from sensebind_engines.half.islands import LARGEST_ACTIVATION, fp32_nodes, wide_values
from sensebind_engines.half.observed import observe
from sensebind_engines.half.strict import run_strictly
from sensebind_engines.models.build import build_encoder
from sensebind_engines.models.sizes import default_config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sensebind.types import Features
    from sensebind_engines.models.encoder import Encoder

SIZES = [(Modality.IMU, "conv-tiny"), (Modality.DEPTH, "conv-tiny"), (Modality.IMU, "tiny")]


def exported(encoder: Encoder, folder: Path) -> tuple[Path, Features]:
    made = export_encoder(encoder, folder, batches=(1,))
    features = {name: array for name, array in made.golden.items() if name != "embedding"}
    return folder / made.spec.onnx, features


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, Features]]:
    """FP32 graphs by modality and size; each is exported once and copied."""
    made: dict[tuple[Modality, str], tuple[Path, Features]] = {}

    def graph(modality: Modality, size: str, folder: Path) -> tuple[Path, Features]:
        if (modality, size) not in made:
            place = tmp_path_factory.mktemp("graphs")
            made[modality, size] = exported(small(modality, size), place)
        path, features = made[modality, size]
        copy = folder / path.name
        copy.write_bytes(path.read_bytes())
        return copy, dict(features)

    return graph


def small(modality: Modality, size: str) -> Encoder:
    torch.manual_seed(0)
    return build_encoder(default_config(modality, size, 32))


def with_outlier(size: float) -> Encoder:
    """An IMU transformer in whose first block one channel of the hidden layer is huge."""
    encoder = small(Modality.IMU, "tiny")
    layers = [m for m in encoder.modules() if isinstance(m, torch.nn.Linear)]
    wide = next(m for m in layers if m.out_features > m.in_features and m.bias is not None)
    narrow = layers[layers.index(wide) + 1]
    with torch.no_grad():
        wide.bias[3] = size
        narrow.weight[:, 3] /= size  # what it adds to the stream stays as it is
    return encoder


@pytest.mark.parametrize(("modality", "size"), SIZES)
@pytest.mark.parametrize("softmax", ["fp32", "fp16"])
def test_vectors_survive(
    modality: Modality,
    size: str,
    softmax: str,
    tmp_path: Path,
    graphs: Callable[..., tuple[Path, Features]],
) -> None:
    path, features = graphs(modality, size, tmp_path)
    spec = export_half(path, features, softmax)  # type: ignore[arg-type]
    half = onnx.load(str(tmp_path / spec.onnx))
    assert spec.strict_cosine is not None
    assert spec.strict_cosine > 0.9999
    (fp32,) = open_session(str(path), 1).run(None, features)
    (fp16,) = open_session(str(tmp_path / spec.onnx), 1).run(None, features)
    assert cosines(fp16.astype(np.float64), fp32).min() > 0.9999
    ends = [v.type.tensor_type.elem_type for v in (*half.graph.input, *half.graph.output)]
    assert set(ends) == {TensorProto.FLOAT}
    assert (tmp_path / spec.onnx).stat().st_size < 0.6 * path.stat().st_size


@pytest.mark.parametrize("softmax", ["fp32", "fp16"])
def test_operators_have_the_promised_types(
    softmax: str, tmp_path: Path, graphs: Callable[..., tuple[Path, Features]]
) -> None:
    path, features = graphs(Modality.IMU, "tiny", tmp_path)
    spec = export_half(path, features, softmax)  # type: ignore[arg-type]
    half = onnx.shape_inference.infer_shapes(onnx.load(str(tmp_path / spec.onnx)))
    types = {v.name: v.type.tensor_type.elem_type for v in half.graph.value_info}
    made = {
        operator: {types[n.output[0]] for n in half.graph.node if n.op_type == operator}
        for operator in ("MatMul", "LayerNormalization", "Softmax", "ReduceL2")
    }
    half_or_float = TensorProto.FLOAT if softmax == "fp32" else TensorProto.FLOAT16
    assert made == {
        "MatMul": {TensorProto.FLOAT16},
        "LayerNormalization": {TensorProto.FLOAT},
        "Softmax": {half_or_float},
        "ReduceL2": {TensorProto.FLOAT},
    }


def test_half_weights_are_the_rounded_ones(
    tmp_path: Path, graphs: Callable[..., tuple[Path, Features]]
) -> None:
    path, features = graphs(Modality.DEPTH, "conv-tiny", tmp_path)
    spec = export_half(path, features)
    weights = {w.name: numpy_helper.to_array(w) for w in onnx.load(str(path)).graph.initializer}
    halves = onnx.load(str(tmp_path / spec.onnx)).graph.initializer
    compared = 0
    for half in halves:
        if half.data_type == TensorProto.FLOAT16 and half.name.removesuffix(".half") in weights:
            whole = weights[half.name.removesuffix(".half")]
            np.testing.assert_array_equal(numpy_helper.to_array(half), whole.astype(np.float16))
            compared += 1
    assert compared >= 4


def test_an_outlier_becomes_an_island(tmp_path: Path) -> None:
    path, features = exported(with_outlier(9e4), tmp_path)
    observed = observe(path, features)
    wide = wide_values(observed)
    assert max(observed.largest.values()) == pytest.approx(9e4, rel=0.01)
    model = onnx.load(str(path))
    (expected,) = open_session(str(path), 1).run(None, features)

    graph = LeanGraph(model, {})
    everything_half = with_half_weights(graph, fp32_nodes(graph, (), "fp32"))
    assert cosines(run_strictly(full_graph(everything_half), features), expected).min() < 0.999

    spec = export_half(path, features)
    assert spec.islands == wide
    assert wide
    assert 0 < spec.island_share <= 0.3
    assert spec.strict_cosine is not None
    assert spec.strict_cosine > 0.999


def test_values_within_range_are_no_islands(tmp_path: Path) -> None:
    path, features = exported(with_outlier(0.9 * LARGEST_ACTIVATION), tmp_path)
    assert wide_values(observe(path, features)) == ()


def test_too_many_islands_are_refused(
    tmp_path: Path, graphs: Callable[..., tuple[Path, Features]]
) -> None:
    path, features = graphs(Modality.IMU, "conv-tiny", tmp_path)
    model = onnx.load(str(path))
    first = next(node for node in model.graph.node if node.op_type == "Conv")
    for weight in model.graph.initializer:  # what the first layer makes, all others get
        if weight.name == first.input[1]:
            huge = numpy_helper.to_array(weight) * np.float32(1e6)
            weight.CopyFrom(numpy_helper.from_array(huge, weight.name))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BundleError, match=r"of its products would stay FP32 .* expected at most"):
        export_half(path, features)
    assert not path.with_name("imu.fp16.onnx").exists()


def test_features_that_break_fp32_are_named(
    tmp_path: Path, graphs: Callable[..., tuple[Path, Features]]
) -> None:
    path, features = graphs(Modality.DEPTH, "conv-tiny", tmp_path)
    (name,) = features
    features[name] = features[name].copy()
    features[name][1, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match=rf"the value '{name}' is nan for row 1"):
        export_half(path, features)
