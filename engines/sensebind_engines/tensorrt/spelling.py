# SPDX-License-Identifier: Apache-2.0
"""INT8 weights as TensorRT wants them spelled.

A bundle's graph casts integers and scales the product, which ONNX Runtime computes best. TensorRT
refuses integer weights that are not read by DequantizeLinear itself, so for the builder the same
numbers are spelled that way: weights are dequantised first, and everything behind takes floats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, NodeProto, TensorProto, helper

from sensebind.errors import BackendError

if TYPE_CHECKING:
    from pathlib import Path


def graph_for_builder(path: Path) -> bytes | None:
    """The graph respelled, with its weights inside; None where the file can be read as it is.

    Raises:
        BackendError: the file is no ONNX graph.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (OSError, DecodeError) as error:
        raise BackendError(
            f"cannot read the graph {path}: {error}; it was cut short or changed, copy the bundle "
            "again"
        ) from None
    stored = {w.name for w in model.graph.initializer if w.data_type == TensorProto.INT8}
    if not stored:
        return None
    respelled = ModelProto()
    respelled.CopyFrom(model)
    del respelled.graph.node[:]
    respelled.graph.node.extend(_respelled(list(model.graph.node), stored))
    content: bytes = respelled.SerializeToString(deterministic=True)
    return content


def _respelled(nodes: list[NodeProto], stored: set[str]) -> list[NodeProto]:
    readers = {name: node for node in nodes for name in node.input}
    scaled: dict[str, NodeProto] = {}  # product of integers -> the node that scales it
    made: list[NodeProto] = []
    dropped: set[str] = set()  # outputs of nodes that are no longer there
    for node in nodes:
        if node.output[0] in dropped:
            continue
        integers = next((name for name in node.input if name in stored), None)
        if integers is not None and node.op_type == "Cast":
            product = readers[node.output[0]]
            scaling = readers[product.output[0]]
            scale = next(name for name in scaling.input if name != product.output[0])
            made.append(_dequantised(integers, scale, node.output[0]))
            scaled[product.output[0]] = scaling
            dropped.add(scaling.output[0])
        elif integers is not None and node.op_type != "DequantizeLinear":
            dequantising = readers[node.output[0]]  # rows are taken from a table, then scaled
            table = f"{integers}.float"
            made.append(_dequantised(integers, dequantising.input[1], table))
            made.append(_with(node, integers, table, dequantising.output[0]))
            dropped.add(dequantising.output[0])
        elif node.output[0] in scaled:
            made.append(_with(node, "", "", scaled[node.output[0]].output[0]))
        else:
            made.append(node)
    return made


def _dequantised(integers: str, scale: str, output: str) -> NodeProto:
    """Columns of an integer matrix, each with its scale."""
    return helper.make_node("DequantizeLinear", [integers, scale], [output], axis=1)


def _with(node: NodeProto, name: str, instead: str, output: str) -> NodeProto:
    """A node that reads `instead` in place of `name` and makes `output`."""
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [instead if each == name and name else each for each in node.input]
    copy.output[0] = output
    return copy
