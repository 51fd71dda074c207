# SPDX-License-Identifier: Apache-2.0
"""Which nodes of a graph stay in FP32 when the rest becomes half."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from onnx import TensorProto

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from onnx import ModelProto, NodeProto

    from sensebind_engines.export.lean import LeanGraph
    from sensebind_engines.half.observed import Observed

Softmax = Literal["fp32", "fp16"]

LARGEST_HALF = 65504.0
"""The largest finite number of IEEE 754 binary16."""

LARGEST_ACTIVATION = LARGEST_HALF / 4
"""A value seen beyond this stays FP32: what is met on a robot goes further than what was seen."""

_ALWAYS = frozenset(
    {"LayerNormalization", "InstanceNormalization", "GroupNormalization", "ReduceL2", "ReduceSum",
     "ReduceMean", "ReduceSumSquare", "ReduceLogSumExp", "Sqrt", "Pow", "Log", "Exp", "Reciprocal"}
)  # fmt: skip
"""Operators that add up many terms, or whose result grows or vanishes faster than its input."""

PRODUCTS = frozenset({"MatMul", "Gemm", "Conv"})
"""Operators that do nearly all of a network's arithmetic."""

_BODY = PRODUCTS | {"Gelu", "LayerNormalization", "Softmax", "Relu", "Erf", "Tanh"}
"""Operators of the network proper; what lies between the last of them and the output normalises."""


def wide_values(observed: Observed) -> tuple[str, ...]:
    """Names of the values that were too large for half, sorted."""
    return tuple(sorted(n for n, v in observed.largest.items() if v > LARGEST_ACTIVATION))


def fp32_nodes(graph: LeanGraph, wide: tuple[str, ...], softmax: Softmax) -> set[int]:
    """Indices of the nodes that compute in FP32.

    Normalisations and reductions, the normalisation at the end, softmax where asked for, every node
    that makes or reads a value in `wide`, and those with a constant that half cannot hold.
    """
    nodes = list(graph.model.graph.node)
    unfit = {w.name for w in graph.model.graph.initializer if not _fits_half(graph, w)}
    chosen = {
        index
        for index, node in enumerate(nodes)
        if node.op_type in _ALWAYS
        or (node.op_type == "Softmax" and softmax == "fp32")
        or any(name in wide for name in (*node.input, *node.output))
        or any(name in unfit for name in node.input)
    }
    return chosen | set(_normalising_end(graph.model))


def product_costs(model: ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> dict[int, int]:
    """Multiplications at a batch of one of every product, by the index of its node."""
    weights = {weight.name: tuple(weight.dims) for weight in model.graph.initializer}
    known = {**shapes, **weights}
    return {
        index: _product_cost(node, known)
        for index, node in enumerate(model.graph.node)
        if node.op_type in PRODUCTS
    }


def _product_cost(node: NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> int:
    made, operand = shapes[node.output[0]], shapes[node.input[1]]
    if node.op_type == "Conv":
        return math.prod(made) * math.prod(operand[1:])
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return math.prod(made) * operand[-1 if transposed else max(-2, -len(operand))]


def _fits_half(graph: LeanGraph, weight: TensorProto) -> bool:
    """Whether half holds these numbers: none overflows, no scalar vanishes."""
    if weight.data_type != TensorProto.FLOAT:
        return True
    values = graph.values(weight)
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float16)
    if not np.isfinite(rounded).all():
        return False
    return values.size > 1 or bool((rounded != 0).all() or (values == 0).all())


def _normalising_end(model: ModelProto) -> Iterator[int]:
    """Nodes between the network proper and the graph's outputs."""
    made_by = {name: i for i, node in enumerate(model.graph.node) for name in node.output}
    waiting = [value.name for value in model.graph.output]
    seen: set[int] = set()
    while waiting:
        index = made_by.get(waiting.pop())
        if index is None or index in seen or model.graph.node[index].op_type in _BODY:
            continue
        seen.add(index)
        waiting.extend(model.graph.node[index].input)
    yield from seen
