# SPDX-License-Identifier: Apache-2.0
"""The small graphs of the test bundle, made of `onnx` nodes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from numpy.typing import NDArray

IR_VERSION = 10
OPSET = 20
_FILTERS = 8
_SMALLEST_NORM = 1e-12


class FeatureGraph(NamedTuple):
    """An encoder of dense features.

    Attributes:
        shape: of one window's features, channels first.
        kernel: side and stride of its one convolution.
        scale: factor per channel, inside the graph; none if empty.
    """

    shape: tuple[int, ...]
    kernel: int
    scale: tuple[float, ...] = ()


class _Builder:
    """Collects nodes and weights in order; every value gets a name."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []

    def weight(self, array: NDArray[np.float32] | NDArray[np.int64]) -> str:
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: object) -> str:
        output = output or f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def unit(self, vectors: str) -> None:
        """End the graph with the rows of `vectors` at L2 norm 1."""
        axis = self.weight(np.array([1], dtype=np.int64))
        norm = self.node("ReduceL2", vectors, axis, keepdims=1)
        smallest = self.weight(np.array(_SMALLEST_NORM, dtype=np.float32))
        self.node("Div", vectors, self.node("Max", norm, smallest), output="embedding")

    def model(self, inputs: dict[str, tuple[int, list[int | str]]], dim: int) -> ModelProto:
        """The finished model; inputs are name to (type, shape)."""
        graph = helper.make_graph(
            self.nodes,
            "encoder",
            [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dim])],
            self.weights,
        )
        return helper.make_model(
            graph,
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
            producer_name="sensebind",
        )


def feature_graph(form: FeatureGraph, dim: int, rng: np.random.Generator) -> ModelProto:
    """Scale, one strided convolution, ReLU, one linear layer, L2 norm.

    Input "features" float32 [batch, *form.shape], output "embedding" float32 [batch, dim].
    """
    graph = _Builder()
    channels, *sides = form.shape
    value = "features"
    if form.scale:
        scale = np.reshape(np.array(form.scale, dtype=np.float32), (-1, *(1 for _ in sides)))
        value = graph.node("Mul", value, graph.weight(scale))
    kernel = [form.kernel] * len(sides)
    filters = _random(rng, (_FILTERS, channels, *kernel))
    value = graph.node("Conv", value, graph.weight(filters), kernel_shape=kernel, strides=kernel)
    value = graph.node("Flatten", graph.node("Relu", value), axis=1)
    inner = _FILTERS * math.prod((side - form.kernel) // form.kernel + 1 for side in sides)
    matrix, bias = _random(rng, (inner, dim)), _random(rng, (dim,))
    graph.unit(graph.node("Gemm", value, graph.weight(matrix), graph.weight(bias)))
    return graph.model({"features": (TensorProto.FLOAT, ["batch", *form.shape])}, dim)


def text_graph(words: int, dim: int, rng: np.random.Generator) -> ModelProto:
    """Mean of the word vectors under the mask, one linear layer, L2 norm.

    Inputs "input_ids" and "attention_mask" int64 [batch, tokens], output as `feature_graph`'s.
    """
    graph = _Builder()
    vectors = graph.node("Gather", graph.weight(_random(rng, (words, dim))), "input_ids")
    mask = graph.node("Cast", "attention_mask", to=TensorProto.FLOAT)
    tokens = graph.weight(np.array([1], dtype=np.int64))
    last = graph.weight(np.array([-1], dtype=np.int64))
    kept = graph.node("Mul", vectors, graph.node("Unsqueeze", mask, last))
    total = graph.node("ReduceSum", kept, tokens, keepdims=0)
    count = graph.node("ReduceSum", mask, tokens, keepdims=1)
    matrix, bias = _random(rng, (dim, dim)), _random(rng, (dim,)) * np.float32(0.1)
    mean = graph.node("Div", total, count)
    graph.unit(graph.node("Gemm", mean, graph.weight(matrix), graph.weight(bias)))
    ids: tuple[int, list[int | str]] = (TensorProto.INT64, ["batch", "tokens"])
    return graph.model({"input_ids": ids, "attention_mask": ids}, dim)


def _random(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Normal weights whose products keep the scale of their input."""
    fan_in = math.prod(shape[1:]) if len(shape) > 2 else shape[0]
    normal = rng.standard_normal(shape, dtype=np.float32)
    normal *= np.float32(1 / math.sqrt(fan_in))
    return normal
