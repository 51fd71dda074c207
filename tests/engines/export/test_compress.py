# SPDX-License-Identifier: Apache-2.0
"""Small storage changes the size of a graph and, but for the rounding, nothing it computes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnxruntime as ort
import pytest

pytest.importorskip("torch", reason="export needs the train extra")
pytest.importorskip("onnxscript", reason="export needs the train extra")

import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper

from sensebind.specs import TensorSpec
from sensebind_engines.export.check import largest_difference, run_graph, run_module
from sensebind_engines.export.compress import store_as_fp16, store_as_int8
from sensebind_engines.export.onnx_export import export_onnx
from sensebind_engines.export.rounding import with_fp16_weights, with_int8_weights
from sensebind_engines.models.minilm import MiniLM, MiniLMSize

TOKENS = tuple(
    TensorSpec(name=name, dtype="int64", shape=("batch", "tokens"))
    for name in ("input_ids", "attention_mask")
)
FEATURES = {
    "input_ids": np.array([[1, 2, 3, 4], [5, 6, 0, 0]]),
    "attention_mask": np.array([[1, 1, 1, 1], [1, 1, 0, 0]]),
}


@pytest.fixture(scope="module")
def model() -> MiniLM:
    """One random layer of a text tower, its matrices large enough for INT8."""
    torch.manual_seed(0)
    size = MiniLMSize(vocabulary=50, positions=40, dim=48, heads=4, hidden=64, layers=1)
    made = MiniLM(size)
    made.eval()
    return made


@pytest.fixture(scope="module")
def plain(model: MiniLM) -> ModelProto:
    """The tower's graph, all FP32."""
    return export_onnx(model, TOKENS)


@pytest.fixture(scope="module")
def int8(plain: ModelProto) -> ModelProto:
    """The graph with INT8 matrices."""
    return store_as_int8(plain)


def _stored(model: ModelProto) -> Counter[int]:
    return Counter(weight.data_type for weight in model.graph.initializer)


def test_fp16_graph_equals_the_rounded_module(model: MiniLM) -> None:
    rounded = with_fp16_weights(model)
    full = export_onnx(rounded, TOKENS)
    graph = store_as_fp16(full)
    for batch in (1, 3, 8):
        assert largest_difference(graph.SerializeToString(), rounded, FEATURES, batch) < 1e-6
    assert graph.ByteSize() < 0.6 * full.ByteSize()


def test_fp16_never_changes_a_constant(plain: ModelProto) -> None:
    # Weights that were not rounded do not fit, and stay; no value is lost either way.
    graph = store_as_fp16(plain)
    np.testing.assert_array_equal(
        run_graph(graph.SerializeToString(), FEATURES),
        run_graph(plain.SerializeToString(), FEATURES),
    )
    assert _stored(graph)[TensorProto.FLOAT] > _stored(graph)[TensorProto.FLOAT16]


def test_int8_graph_equals_the_rounded_module(model: MiniLM, int8: ModelProto) -> None:
    graph = int8.SerializeToString()
    for batch in (1, 3, 8):
        assert largest_difference(graph, with_int8_weights(model), FEATURES, batch) < 1e-6
    assert np.abs(run_graph(graph, FEATURES) - run_module(model, FEATURES)).max() > 1e-5


def test_int8_stores_every_large_matrix_once(int8: ModelProto) -> None:
    matrices = [w for w in int8.graph.initializer if w.data_type == TensorProto.INT8]
    shapes = sorted(tuple(weight.dims) for weight in matrices)
    assert shapes == sorted([(50, 48), (40, 48), *[(48, 48)] * 4, (48, 64), (64, 48)])
    floats = [w for w in int8.graph.initializer if w.data_type == TensorProto.FLOAT]
    assert max(len(w.dims) for w in floats) == 1


def test_tables_are_dequantised_after_rows_are_taken(int8: ModelProto) -> None:
    nodes = int8.graph.node
    makers = {output: node.op_type for node in nodes for output in node.output}
    dequantised = [node for node in nodes if node.op_type == "DequantizeLinear"]
    assert [makers[node.input[0]] for node in dequantised] == ["Gather", "Slice"]


def test_int8_products_stay_fp32_under_default_options(int8: ModelProto) -> None:
    # With DequantizeLinear before a product, ONNX Runtime 1.31 quantises the activations as well,
    # unless told not to; the graph must mean the same with and without that.
    graph = int8.SerializeToString()
    options = ort.SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(
        run_graph(graph, FEATURES), session.run(None, FEATURES)[0], atol=1e-6
    )


def test_a_matrix_used_twice_stays_fp32() -> None:
    table = numpy_helper.from_array(np.ones((64, 32), np.float32), "table")
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("Gather", ["table", "ids"], ["same"]),
        helper.make_node("Add", ["rows", "same"], ["sum"]),
    ]
    ends = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch"]),
        helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["batch", 32]),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [table])
    assert _stored(store_as_int8(helper.make_model(graph))) == {TensorProto.FLOAT: 1}
