# SPDX-License-Identifier: Apache-2.0
"""Small weights in a finished graph, with its arithmetic left in FP32."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from sensebind_engines.export.canonical import canonicalise
from sensebind_engines.export.rounding import is_worth_int8, round_to_int8

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def store_as_fp16(model: ModelProto) -> ModelProto:
    """Store as FP16, with a Cast to FP32, every float array that FP16 holds exactly.

    Round the module first (`rounding.with_fp16_weights`); scalars and what needs FP32, such as an
    epsilon, stay as they are.
    """
    casts: list[NodeProto] = []
    weights: list[TensorProto] = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size == 1 or not _fits_fp16(values):
            weights.append(weight)
            continue
        stored = f"{weight.name}.fp16"
        weights.append(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(helper.make_node("Cast", [stored], [weight.name], to=TensorProto.FLOAT))
    return _rebuilt(model, [*casts, *model.graph.node], weights)


def _fits_fp16(values: NDArray[np.float32]) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.array_equal(values.astype(np.float16).astype(np.float32), values))


def store_as_int8(model: ModelProto) -> ModelProto:
    """Store every large matrix that is multiplied with, or that rows are taken from, as INT8.

    A table is dequantised after its rows are taken, so that a run never touches all of it. A
    product is taken with the integers as FP32 and scaled afterwards: spelled DequantizeLinear,
    ONNX Runtime 1.23 would dequantise the matrix in every run, and 1.31 would quantise the
    activations to INT8 too; spelled so, both cast it once and compute in FP32.
    """
    uses = Counter(name for node in model.graph.node for name in node.input)
    large = {
        weight.name: weight
        for weight in model.graph.initializer
        if weight.data_type == TensorProto.FLOAT
        and is_worth_int8(weight.dims)
        and uses[weight.name] == 1
    }
    nodes: list[NodeProto] = []
    weights = list(model.graph.initializer)
    for node in model.graph.node:
        operand = _MATRIX_OPERANDS.get(node.op_type)
        matrix = None if operand is None else large.get(node.input[operand])
        if matrix is None:
            nodes.append(node)
            continue
        quantised, scales = round_to_int8(numpy_helper.to_array(matrix))
        stored, scale = f"{matrix.name}.int8", f"{matrix.name}.scale"
        weights.append(numpy_helper.from_array(quantised, stored))
        weights.append(numpy_helper.from_array(scales, scale))
        form = _scaled_product if node.op_type == "MatMul" else _dequantised_rows
        nodes += form(node, stored, scale)
    return _rebuilt(model, nodes, weights)


_MATRIX_OPERANDS = {"MatMul": 1, "Gather": 0, "Slice": 0}


def _scaled_product(node: NodeProto, stored: str, scale: str) -> list[NodeProto]:
    left, output = node.input[0], node.output[0]
    matrix, product = f"{stored}.float", f"{output}.unscaled"
    return [
        helper.make_node("Cast", [stored], [matrix], to=TensorProto.FLOAT),
        helper.make_node("MatMul", [left, matrix], [product]),
        helper.make_node("Mul", [product, scale], [output]),
    ]


def _dequantised_rows(node: NodeProto, stored: str, scale: str) -> list[NodeProto]:
    rows = f"{stored}.rows"
    take = NodeProto()
    take.CopyFrom(node)
    take.input[0], take.output[0] = stored, rows
    return [take, helper.make_node("DequantizeLinear", [rows, scale], list(node.output), axis=-1)]


def _rebuilt(
    model: ModelProto, nodes: Iterable[NodeProto], weights: Iterable[TensorProto]
) -> ModelProto:
    """Return ``model`` with other nodes and initialisers; unused ones are dropped."""
    rebuilt = ModelProto()
    rebuilt.CopyFrom(model)
    rebuilt.graph.ClearField("node")
    rebuilt.graph.ClearField("initializer")
    rebuilt.graph.node.extend(nodes)
    rebuilt.graph.initializer.extend(weights)
    return canonicalise(rebuilt)
