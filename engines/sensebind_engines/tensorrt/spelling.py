# SPDX-License-Identifier: Apache-2.0
"""INT8 weights as TensorRT wants them spelled.

A bundle's graph casts integers and scales the product, which ONNX Runtime computes best. TensorRT
refuses integer weights that are not read by DequantizeLinear itself, so for the builder the same
numbers are spelled that way: weights are dequantised first, and everything behind takes floats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import NodeProto, TensorProto, helper

from sensebind.errors import BackendError, BundleError
from sensebind_engines.export.lean import full_graph
from sensebind_engines.export.stored import read_lean

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind_engines.export.lean import LeanGraph


def graph_for_builder(path: Path) -> bytes | None:
    """The graph respelled, with its weights inside; None where the file can be read as it is.

    Raises:
        BackendError: the file is no ONNX graph.
    """
    graph = read_graph(path)
    weights = graph.model.graph.initializer
    stored = {weight.name for weight in weights if weight.data_type == TensorProto.INT8}
    if not stored:
        return None
    respelled = full_graph(graph)
    del respelled.graph.node[:]
    respelled.graph.node.extend(_respelled(list(graph.model.graph.node), stored))
    content: bytes = respelled.SerializeToString(deterministic=True)
    return content


def read_graph(path: Path) -> LeanGraph:
    """A graph of a bundle, its large weights left in their file: a board's memory is small.

    Raises:
        BackendError: the file is no ONNX graph.
    """
    try:
        return read_lean(path)
    except (OSError, BundleError) as error:
        raise BackendError(
            f"cannot read the graph {path}: {error}; it was cut short or changed, copy the bundle "
            "again"
        ) from None


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
