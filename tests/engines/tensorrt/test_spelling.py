# SPDX-License-Identifier: Apache-2.0
"""Integer weights spelled for TensorRT are the same numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from sensebind.storage import data_folder
from sensebind_engines.tensorrt.spelling import graph_for_builder

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEMO = data_folder() / "bundles" / "demo"
TEXT = {
    "input_ids": np.array([[101, 1037, 3899, 102], [101, 2003, 1037, 102]]),
    "attention_mask": np.ones((2, 4), np.int64),
}


def run_as_written(graph: str | bytes, features: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """ONNX Runtime without its rewriting, which would quantise activations too."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    result: NDArray[np.float32] = session.run(None, features)[0]
    return result


def test_the_text_tower_keeps_its_vectors() -> None:
    path = DEMO / "text.onnx"
    respelled = graph_for_builder(path)
    assert respelled is not None
    onnx.checker.check_model(onnx.load_from_string(respelled), full_check=True)
    found = run_as_written(respelled, TEXT)
    np.testing.assert_allclose(found, run_as_written(str(path), TEXT), atol=1e-6)


def test_integers_are_read_by_dequantize_alone() -> None:
    respelled = graph_for_builder(DEMO / "text.onnx")
    assert respelled is not None
    model = onnx.load_from_string(respelled)
    integers = {w.name for w in model.graph.initializer if w.data_type == onnx.TensorProto.INT8}
    readers = {n.op_type for n in model.graph.node if integers.intersection(n.input)}
    assert integers
    assert readers == {"DequantizeLinear"}


@pytest.mark.parametrize("name", ["imu.onnx", "vision.onnx"])
def test_other_graphs_are_left_alone(name: str) -> None:
    assert graph_for_builder(DEMO / name) is None
