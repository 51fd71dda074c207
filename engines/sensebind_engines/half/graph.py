# SPDX-License-Identifier: Apache-2.0
"""A graph in half precision: half weights, FP32 islands, FP32 inputs and outputs.

Types are stated by the graph alone, as a strongly typed network wants them: each node computes in
one type, and a Cast stands wherever a value is needed in the other. The arithmetic is that of the
FP32 graph, operator by operator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from sensebind_engines.export.lean import LeanGraph, canonical_lean
from sensebind_engines.half.observed import FLOATS, float_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from numpy.typing import NDArray

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
_SUFFIX = {FLOAT: "float", HALF: "half"}


def with_half_weights(graph: LeanGraph, fp32: AbstractSet[int]) -> LeanGraph:
    """Rewrite an FP32 graph so that all nodes but those of `fp32` compute in half.

    Args:
        graph: a canonical graph; weights that are stored as half and cast are used as they are.
        fp32: indices of the nodes that stay FP32.

    Returns:
        a canonical graph of the same inputs and outputs. Weights outside stay there, and are
        rounded each time they are read.
    """
    writer = _Writer(graph)
    for index, node in enumerate(graph.model.graph.node):
        writer.add(node, FLOAT if index in fp32 else HALF)
    return writer.finish()


def is_stored_half(node: NodeProto, weights: Mapping[str, TensorProto]) -> bool:
    """Whether a node casts a weight that is stored as half, one of these by name."""
    weight = weights.get(node.input[0]) if node.op_type == "Cast" else None
    return weight is not None and bool(weight.data_type == HALF)


class _Writer:
    """Copies nodes one by one and keeps which values exist in which type."""

    def __init__(self, source: LeanGraph) -> None:
        model = self._model = source.model
        self._source = source
        self._types = float_values(model)
        self._weights = {weight.name: weight for weight in model.graph.initializer}
        self._kept: dict[str, TensorProto] = {}
        self._outside: dict[str, Callable[[], NDArray[Any]]] = {}
        self._nodes: list[NodeProto] = []
        self._have: dict[tuple[str, int], str] = {}
        for value in model.graph.input:
            if value.name in self._types:
                self._have[value.name, FLOAT] = value.name

    def add(self, node: NodeProto, kind: int) -> None:
        """Copy a node so that it computes in `kind`."""
        if is_stored_half(node, self._weights):
            stored, name = node.input[0], node.output[0]
            self._keep(stored)
            self._have[name, HALF] = stored
            return
        if not any(self._is_float(name) for name in node.input):
            kind = FLOAT  # what it makes of integers is typed by its attributes
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [self._operand(name, kind) for name in node.input]
        copy.output[:] = [self._result(name, kind) for name in node.output]
        self._nodes.append(copy)

    def finish(self) -> LeanGraph:
        """The new graph."""
        for value in self._model.graph.output:
            if value.name in self._types and (value.name, FLOAT) not in self._have:
                half = self._have[value.name, HALF]
                self._nodes.append(helper.make_node("Cast", [half], [value.name], to=FLOAT))
        model = ModelProto(opset_import=self._model.opset_import)
        model.functions.extend(self._model.functions)
        model.graph.input.extend(self._model.graph.input)
        model.graph.output.extend(self._model.graph.output)
        model.graph.node.extend(self._nodes)
        model.graph.initializer.extend(self._kept.values())
        return canonical_lean(LeanGraph(model, self._outside))

    def _is_float(self, name: str) -> bool:
        weight = self._weights.get(name)
        return name in self._types if weight is None else weight.data_type in FLOATS

    def _operand(self, name: str, kind: int) -> str:
        """Name of a value or weight in `kind`; made if it is not there yet."""
        if not name or not self._is_float(name):
            if name in self._weights:
                self._keep(name)
            return name
        have = self._have.get((name, kind))
        if have is None:
            have = self._weight(name, kind) if name in self._weights else self._cast(name, kind)
            self._have[name, kind] = have
        return have

    def _keep(self, name: str) -> None:
        """Keep a weight as it is."""
        self._kept[name] = self._weights[name]
        if name in self._source.weights:
            self._outside[name] = self._source.weights[name]

    def _weight(self, name: str, kind: int) -> str:
        weight = self._weights[name]
        dtype = np.dtype(np.float16 if kind == HALF else np.float32)
        stored = f"{name}.{_SUFFIX[kind]}" if kind == HALF else name
        if name not in self._source.weights:
            typed = self._source.values(weight).astype(dtype)
            self._kept[stored] = numpy_helper.from_array(typed, stored)
            return stored
        read = self._source.weights[name]
        self._outside[stored] = lambda: read().astype(dtype)
        self._kept[stored] = TensorProto(
            dims=weight.dims, data_type=kind, name=stored, data_location=TensorProto.EXTERNAL
        )
        return stored

    def _cast(self, name: str, kind: int) -> str:
        other = self._have[name, HALF if kind == FLOAT else FLOAT]
        made = f"{name}.{_SUFFIX[kind]}"
        self._nodes.append(helper.make_node("Cast", [other], [made], to=kind))
        return made

    def _result(self, name: str, kind: int) -> str:
        if name not in self._types:
            return name
        made = name if kind == FLOAT else f"{name}.half"
        self._have[name, kind] = made
        return made
