# SPDX-License-Identifier: Apache-2.0
"""Graphs whose weights stay where they are until they are written.

A tower of gigabytes, mapped from its file, must not be copied into a message and from there into
bytes: only the small part of a graph is a message, and weights are handed on one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

from sensebind_engines.export.canonical import canonicalise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import onnx_ir as ir
    from numpy.typing import NDArray
    from onnx import TensorProto as Tensor

SMALL_BYTES = 1024
"""Weights of less stay in the message."""


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

    def values(self, weight: Tensor) -> NDArray[Any]:
        """One initialiser's values, wherever they are."""
        if weight.name in self.weights:
            return self.weights[weight.name]()
        inside: NDArray[Any] = numpy_helper.to_array(weight)
        return inside

    @property
    def external(self) -> list[Tensor]:
        """Initialisers whose values are outside, in the graph's order."""
        return [w for w in self.model.graph.initializer if w.name in self.weights]


def lean_graph(model: ir.Model, rename: Mapping[str, str]) -> LeanGraph:
    """Canonicalise an exported model with its large weights taken out."""
    import onnx_ir as ir  # comes with the exporter; a robot only reads graphs

    outside: dict[str, ir.TensorProtocol] = {}
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor.nbytes >= SMALL_BYTES:
            outside[name] = tensor
            value.const_value = ir.ExternalTensor(
                name, 0, tensor.nbytes, tensor.dtype, shape=tensor.shape, name=name
            )
    weights = {name: tensor.numpy for name, tensor in outside.items()}
    return canonical_lean(LeanGraph(ir.to_proto(model), weights), rename)


def canonical_lean(graph: LeanGraph, rename: Mapping[str, str] | None = None) -> LeanGraph:
    """Canonicalise a graph whose weights stay outside; see `canonicalise`."""
    model = ModelProto()
    model.CopyFrom(graph.model)
    for weight in model.graph.initializer:
        if weight.name in graph.weights:  # the location carries the name through the renaming
            del weight.external_data[:]
            weight.external_data.add(key="location", value=weight.name)
    clean = canonicalise(model, rename)
    weights = {}
    for weight in clean.graph.initializer:
        if weight.data_location == TensorProto.EXTERNAL:
            weights[weight.name] = graph.weights[weight.external_data[0].value]
            del weight.external_data[:]
    return LeanGraph(clean, weights)


def with_weights_as_inputs(model: ModelProto) -> ModelProto:
    """The graph with its outer weights as inputs, which have types and need no values."""
    copy = ModelProto()
    copy.CopyFrom(model)
    del copy.graph.initializer[:]
    for weight in model.graph.initializer:
        if weight.data_location == TensorProto.EXTERNAL:
            value = helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
            copy.graph.input.append(value)
        else:
            copy.graph.initializer.append(weight)
    return copy


def full_graph(graph: LeanGraph) -> ModelProto:
    """The same graph with its weights inside."""
    model = ModelProto()
    model.CopyFrom(graph.model)
    for weight in model.graph.initializer:
        if weight.name in graph.weights:
            weight.ClearField("data_location")
            weight.raw_data = graph.array(weight.name).tobytes()
    return model


def write_full(graph: LeanGraph, file: BinaryIO) -> None:
    """Write the bytes of `full_graph`, with one weight in memory at a time.

    A message is its fields in the order of their numbers, each with its length before it, so the
    parts before, between and behind the weights are serialised as messages of their own.
    """
    before, after = ModelProto(), ModelProto()
    before.CopyFrom(graph.model)
    before.ClearField("graph")
    after.opset_import.extend(before.opset_import)
    before.ClearField("opset_import")
    head, tail = GraphProto(), GraphProto()
    head.node.extend(graph.model.graph.node)
    head.name = graph.model.graph.name
    tail.input.extend(graph.model.graph.input)
    tail.output.extend(graph.model.graph.output)
    lengths = [_weight_bytes(graph, weight) for weight in graph.model.graph.initializer]
    total = head.ByteSize() + tail.ByteSize()
    total += sum(length + len(_prefix(_INITIALIZER, length)) for length in lengths)
    file.write(_bytes(before) + _prefix(_GRAPH, total) + _bytes(head))
    for weight, length in zip(graph.model.graph.initializer, lengths, strict=True):
        file.write(_prefix(_INITIALIZER, length))
        if weight.name not in graph.weights:
            file.write(_bytes(weight))
            continue
        array = graph.array(weight.name)
        file.write(_bytes(_without_place(weight)) + _prefix(_RAW_DATA, array.nbytes))
        file.write(array.reshape(-1).view(np.uint8).data)
    file.write(_bytes(tail) + _bytes(after))


_GRAPH = ModelProto.DESCRIPTOR.fields_by_name["graph"].number
_INITIALIZER = GraphProto.DESCRIPTOR.fields_by_name["initializer"].number
_RAW_DATA = TensorProto.DESCRIPTOR.fields_by_name["raw_data"].number
_LENGTH_DELIMITED = 2


def _weight_bytes(graph: LeanGraph, weight: Tensor) -> int:
    if weight.name not in graph.weights:
        return int(weight.ByteSize())
    size = data_bytes(weight)
    return int(_without_place(weight).ByteSize()) + len(_prefix(_RAW_DATA, size)) + size


def data_bytes(weight: Tensor) -> int:
    """Bytes of an initialiser's values, by its type and shape."""
    item = helper.tensor_dtype_to_np_dtype(weight.data_type).itemsize
    return int(np.prod(weight.dims, dtype=np.int64)) * int(item)


def _without_place(weight: Tensor) -> Tensor:
    copy = TensorProto()
    copy.CopyFrom(weight)
    copy.ClearField("data_location")
    return copy


def _prefix(field: int, length: int) -> bytes:
    """What stands before a field that has a length: both as base-128 numbers, low digits first."""
    return _base_128(field << 3 | _LENGTH_DELIMITED) + _base_128(length)


def _base_128(number: int) -> bytes:
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def _bytes(message: ModelProto | GraphProto | Tensor) -> bytes:
    content: bytes = message.SerializeToString(deterministic=True)
    return content
