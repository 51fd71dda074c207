# SPDX-License-Identifier: Apache-2.0
"""Reading a graph into TensorRT, and checking that it means there what it was exported as."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from onnx.shape_inference import infer_shapes

from sensebind.errors import BackendError
from sensebind_engines.export.lean import with_weights_as_inputs
from sensebind_engines.tensorrt.spelling import graph_for_builder, read_graph

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind_engines.tensorrt.flavour import Flavour

Audit = dict[str, dict[str, int]]
"""Kind of layer to the types it computes in and how often."""

_OPERATORS = {
    "MatMul": "MATRIX_MULTIPLY",
    "Gemm": "MATRIX_MULTIPLY",
    "Conv": "CONVOLUTION",
    "LayerNormalization": "NORMALIZATION",
    "Softmax": "SOFTMAX",
}
"""ONNX operators whose precision matters, and the layers that the parser makes of them."""

_TYPES = {1: "FLOAT", 10: "HALF", 16: "BF16"}
"""Numbers of onnx.TensorProto.DataType to names of tensorrt.DataType."""


def read_network(flavour: Flavour, builder: Any, path: Path) -> tuple[Any, Any]:  # noqa: ANN401
    """Parse a graph into a strongly typed network.

    Returns:
        the network and the parser, which has to outlive it.

    Raises:
        BackendError: naming the node and operator that TensorRT does not take.
    """
    trt = flavour.trt
    flags = 0
    if flavour.has_typing_flag:
        flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(flags)
    parser = trt.OnnxParser(network, builder.logger)
    respelled = graph_for_builder(path)
    taken = parser.parse_from_file(str(path)) if respelled is None else parser.parse(respelled)
    if not taken:
        raise BackendError(
            f"{flavour.name} {flavour.version} cannot take {path.name}: "
            + "; ".join(_told(parser.get_error(number)) for number in range(parser.num_errors))
            + ". Export the bundle again, or run this modality on onnxruntime"
        )
    return network, parser


def _told(error: Any) -> str:  # noqa: ANN401
    place = f"node {error.node_name()!r} ({error.node_operator()})" if error.node_name() else "it"
    return f"{place}: {error.desc()}"


def audit(network: Any) -> Audit:  # noqa: ANN401
    """Types in which the layers that matter compute, as the parser understood them."""
    found: dict[str, Counter[str]] = {}
    for number in range(network.num_layers):
        layer = network.get_layer(number)
        kind = str(layer.type).rpartition(".")[2]
        if kind in _OPERATORS.values():
            dtype = str(layer.get_output(0).dtype).rpartition(".")[2]
            found.setdefault(kind, Counter())[dtype] += 1
    return {kind: dict(sorted(types.items())) for kind, types in sorted(found.items())}


def promised(path: Path) -> Audit:
    """The same of the graph itself."""
    model = read_graph(path).model
    inferred = infer_shapes(with_weights_as_inputs(model)).graph
    types = {
        value.name: value.type.tensor_type.elem_type
        for value in (*inferred.value_info, *inferred.output)
    }
    found: dict[str, Counter[str]] = {}
    for node in model.graph.node:
        if node.op_type in _OPERATORS:
            dtype = _TYPES.get(types[node.output[0]], "other")
            found.setdefault(_OPERATORS[node.op_type], Counter())[dtype] += 1
    return {kind: dict(sorted(types.items())) for kind, types in sorted(found.items())}


def check_audit(found: Audit, expected: Audit, name: str) -> None:
    """See that the network computes in the types the graph states.

    Raises:
        BackendError: naming the first kind of layer that does not.
    """
    for kind in sorted({*found, *expected}):
        if found.get(kind) != expected.get(kind):
            raise BackendError(
                f"{name}: TensorRT reads {kind} layers as {found.get(kind)}, the graph states "
                f"{expected.get(kind)}; a plan of it would not have the precision it claims. "
                "Export the bundle again"
            )
