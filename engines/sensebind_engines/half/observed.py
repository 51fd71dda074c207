# SPDX-License-Identifier: Apache-2.0
"""What the values inside a graph look like on real features: how large, of what shape."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper

from sensebind.backends.onnx_session import open_session
from sensebind.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.backends.onnx_session import Session
    from sensebind.types import Features

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
_AT_ONCE = 64
"""Values fetched per run: all of a large network's would not fit in memory together."""


class Observed(NamedTuple):
    """What was seen of every float value that a node of a graph makes or an input brings.

    Attributes:
        largest: max |value| over all rows, by name.
        shapes: shape at a batch of one, by name.
        rows: number of rows that were run.
    """

    largest: dict[str, float]
    shapes: dict[str, tuple[int, ...]]
    rows: int


def observe(path: Path, features: Features) -> Observed:
    """Run a graph in FP32 on rows of features, one at a time, and look at every value.

    Args:
        path: the FP32 graph; weights may lie beside it.
        features: rows by input name, with a batch axis; at least one row.

    Raises:
        InputError: a value is not finite in FP32 already, naming it and the row.
    """
    model = onnx.load(str(path), load_external_data=False)
    names = list(float_values(model))
    inputs = {value.name for value in model.graph.input}
    largest = dict.fromkeys(names, 0.0)
    shapes: dict[str, tuple[int, ...]] = {}
    rows = len(next(iter(features.values())))
    made = [name for name in names if name not in inputs]
    for begin in range(0, len(made), _AT_ONCE):
        chosen = made[begin : begin + _AT_ONCE]
        session = _session_showing(model, path, chosen)
        for row in range(rows):
            one = {name: array[row : row + 1] for name, array in features.items()}
            seen = {name: one[name] for name in names if name in inputs}
            seen |= dict(zip(chosen, session.run(chosen, one), strict=True))
            for name, array in seen.items():
                value = float(np.abs(array).max(initial=0))
                if not np.isfinite(value):
                    raise InputError(
                        f"{path.name}: the value {name!r} is {value} for row {row} of the features "
                        "in FP32 already; look at the weights and at that row"
                    )
                largest[name] = max(largest[name], value)
                shapes[name] = array.shape
    return Observed(largest, shapes, rows)


def float_values(model: ModelProto) -> dict[str, int]:
    """Name and type of every float value that is no weight."""
    inferred = onnx.shape_inference.infer_shapes(_without_outer_weights(model)).graph
    weights = {weight.name for weight in model.graph.initializer}
    return {
        value.name: value.type.tensor_type.elem_type
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
        if value.type.tensor_type.elem_type in FLOATS and value.name not in weights
    }


def _without_outer_weights(model: ModelProto) -> ModelProto:
    """The graph with the weights beside it as inputs, which have types and need no values."""
    copy = ModelProto()
    copy.CopyFrom(model)
    outer = [w for w in model.graph.initializer if w.data_location == TensorProto.EXTERNAL]
    del copy.graph.initializer[:]
    copy.graph.initializer.extend(w for w in model.graph.initializer if w not in outer)
    copy.graph.input.extend(
        helper.make_tensor_value_info(w.name, w.data_type, w.dims) for w in outer
    )
    return copy


def _session_showing(model: ModelProto, path: Path, names: list[str]) -> Session:
    """A session of the graph whose outputs are these values."""
    shown = ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    shown.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names
    )
    if all(w.data_location != TensorProto.EXTERNAL for w in model.graph.initializer):
        return open_session(shown.SerializeToString(), 1)
    # Weights beside the graph are found only from a file in the same folder.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.onnx")
    try:
        temporary.write_bytes(shown.SerializeToString())
        return open_session(str(temporary), 1)
    finally:
        temporary.unlink(missing_ok=True)
