# SPDX-License-Identifier: Apache-2.0
"""What the values inside a graph look like on real features: how large, of what shape."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper

from sensebind.backends.onnx_session import open_session
from sensebind.backends.tensors import single_rows
from sensebind.errors import InputError
from sensebind_engines.export.check import placed_beside
from sensebind_engines.export.lean import with_weights_as_inputs
from sensebind_engines.export.stored import read_lean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.types import Features
    from sensebind_engines.export.lean import LeanGraph

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
    graph = read_lean(path)
    names = list(float_values(graph.model))
    inputs = {value.name for value in graph.model.graph.input}
    seen = _Seen(path.name, dict.fromkeys(names, 0.0), {})
    rows = list(single_rows(features))
    for row, one in enumerate(rows):
        for name in inputs & seen.largest.keys():
            seen.look(name, one[name], row)
    made = [name for name in names if name not in inputs]
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
        shown = _Shown(graph, Path(scratch))
        for begin in range(0, len(made), _AT_ONCE):
            shown.run(made[begin : begin + _AT_ONCE], rows, seen)
    return Observed(seen.largest, seen.shapes, len(rows))


class _Seen(NamedTuple):
    """What was seen so far, of which graph."""

    graph: str
    largest: dict[str, float]
    shapes: dict[str, tuple[int, ...]]

    def look(self, name: str, array: NDArray[Any], row: int) -> None:
        """Take in one value of one row."""
        value = float(np.abs(array).max(initial=0))
        if not np.isfinite(value):
            raise InputError(
                f"{self.graph}: the value {name!r} is {value} for row {row} of the features in "
                "FP32 already; look at the weights and at that row"
            )
        self.largest[name] = max(self.largest[name], value)
        self.shapes[name] = array.shape


class _Shown:
    """A graph whose inner values are its outputs, some at a time.

    A session maps weights only from a file, aligned and in the graph's folder, so they are written
    there once; read from the graph itself they would be in memory several times.
    """

    def __init__(self, graph: LeanGraph, folder: Path) -> None:
        self._path = folder / "shown.onnx"
        self._model = placed_beside(graph, folder / "shown.data")

    def run(self, names: list[str], rows: list[dict[str, NDArray[Any]]], seen: _Seen) -> None:
        """Run the rows and look at the values of these names."""
        del self._model.graph.output[:]
        self._model.graph.output.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names
        )
        self._path.write_bytes(self._model.SerializeToString())
        session = open_session(str(self._path), 1)
        for row, one in enumerate(rows):
            for name, array in zip(names, session.run(names, one), strict=True):
                seen.look(name, array, row)


def float_values(model: ModelProto) -> dict[str, int]:
    """Name and type of every float value that is no weight."""
    inferred = onnx.shape_inference.infer_shapes(with_weights_as_inputs(model)).graph
    weights = {weight.name for weight in model.graph.initializer}
    return {
        value.name: value.type.tensor_type.elem_type
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
        if value.type.tensor_type.elem_type in FLOATS and value.name not in weights
    }
