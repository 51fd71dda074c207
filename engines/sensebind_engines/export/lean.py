# SPDX-License-Identifier: Apache-2.0
"""Graphs whose weights stay where they are until they are written.

A tower of gigabytes, mapped from its file, must not be copied into a message and from there into
bytes: only the small part of a graph is a message, and weights are handed on one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import onnx_ir as ir
from onnx import ModelProto, TensorProto

from sensebind_engines.export.canonical import canonicalise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray
    from onnx import TensorProto as Tensor

_SMALL_BYTES = 1024


class LeanGraph(NamedTuple):
    """A canonical graph without its large weights.

    Attributes:
        model: the graph; a weight that is not in it is marked as external.
        weights: reads such a weight, by the initialiser's name.
    """

    model: ModelProto
    weights: Mapping[str, Callable[[], NDArray[Any]]]

    def array(self, name: str) -> NDArray[Any]:
        """One weight, C-contiguous; a copy only if it was not."""
        return np.ascontiguousarray(self.weights[name]())

    @property
    def external(self) -> list[Tensor]:
        """Initialisers whose values are outside, in the graph's order."""
        return [w for w in self.model.graph.initializer if w.name in self.weights]


def lean_graph(model: ir.Model, rename: Mapping[str, str]) -> LeanGraph:
    """Canonicalise an exported model with its large weights taken out."""
    outside: dict[str, ir.TensorProtocol] = {}
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor.nbytes >= _SMALL_BYTES:
            outside[name] = tensor
            # The location carries the name through the renaming.
            value.const_value = ir.ExternalTensor(
                name, 0, tensor.nbytes, tensor.dtype, shape=tensor.shape, name=name
            )
    clean = canonicalise(ir.to_proto(model), rename)
    weights = {}
    for weight in clean.graph.initializer:
        if weight.data_location == TensorProto.EXTERNAL:
            weights[weight.name] = outside[weight.external_data[0].value].numpy
            del weight.external_data[:]
    return LeanGraph(clean, weights)


def full_graph(graph: LeanGraph) -> ModelProto:
    """The same graph with its weights inside."""
    model = ModelProto()
    model.CopyFrom(graph.model)
    for weight in model.graph.initializer:
        if weight.name in graph.weights:
            weight.ClearField("data_location")
            weight.raw_data = graph.array(weight.name).tobytes()
    return model
