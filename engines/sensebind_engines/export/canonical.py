# SPDX-License-Identifier: Apache-2.0
"""One spelling per graph: equal networks become equal bytes, free of their builder's traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping

IR_VERSION = 10
"""What ONNX Runtime 1.23 reads, the newest release for Python 3.10."""

PRODUCER = "sensebind"


def canonicalise(model: ModelProto, rename: Mapping[str, str] | None = None) -> ModelProto:
    """Return a copy of ``model`` that depends on its operators and weights alone.

    Nodes and intermediate values are numbered in graph order, initialisers are sorted by first
    use, and doc strings, metadata, intermediate shapes and producer versions are dropped.

    Args:
        model: any valid graph.
        rename: new names of inputs and outputs, by old name.
    """
    graph = GraphProto(name=PRODUCER)
    names = _new_names(model.graph, rename or {})
    for node in model.graph.node:
        graph.node.append(_clean_node(node, names, len(graph.node)))
    used = dict.fromkeys(name for node in model.graph.node for name in node.input)
    weights = {weight.name: weight for weight in model.graph.initializer}
    for name in used:
        if name in weights:
            graph.initializer.append(_clean_weight(weights[name], names[name]))
    for kind in ("input", "output"):
        for value in getattr(model.graph, kind):
            copy = getattr(graph, kind).add(name=names[value.name])
            copy.type.CopyFrom(value.type)
    clean = ModelProto(ir_version=IR_VERSION, producer_name=PRODUCER, graph=graph)
    clean.opset_import.extend(model.opset_import)
    clean.functions.extend(model.functions)
    return clean


def _new_names(graph: GraphProto, rename: Mapping[str, str]) -> dict[str, str]:
    """Map every value's name; inputs, outputs and weights named by their module keep theirs."""
    ends = (*graph.input, *graph.output)
    names = {value.name: rename.get(value.name, value.name) for value in ends}
    names[""] = ""
    weights = {weight.name for weight in graph.initializer}
    counts = {"constant": 0, "value": 0}
    for node in graph.node:
        for name in (*node.input, *node.output):
            if name in names:
                continue
            if name in weights and "." in name:
                names[name] = name
                continue
            kind = "constant" if name in weights else "value"
            names[name] = f"{kind}_{counts[kind]}"
            counts[kind] += 1
    return names


def _clean_node(node: NodeProto, names: dict[str, str], index: int) -> NodeProto:
    clean = NodeProto(op_type=node.op_type, domain=node.domain, name=f"{node.op_type}_{index}")
    clean.input.extend(names[name] for name in node.input)
    clean.output.extend(names[name] for name in node.output)
    for attribute in sorted(node.attribute, key=lambda attribute: attribute.name):
        copy = clean.attribute.add()
        copy.CopyFrom(attribute)
        copy.ClearField("doc_string")
    return clean


def _clean_weight(weight: TensorProto, name: str) -> TensorProto:
    if weight.data_location == TensorProto.EXTERNAL:
        copy = TensorProto()
        copy.CopyFrom(weight)
        copy.name = name
        return copy
    return numpy_helper.from_array(numpy_helper.to_array(weight), name)
