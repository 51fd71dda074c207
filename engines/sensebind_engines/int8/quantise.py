# SPDX-License-Identifier: Apache-2.0
"""Graphs whose products are taken of 8-bit integers, spelled in standard operators.

Two methods, both with weights rounded per output channel:

* "dynamic": matrix products with constant weights; a run scales each one's input by what that run
  brings. Nothing has to be known of the features, but a row then depends on the others of its
  batch, so the runtime runs windows one by one.
* "static": convolutions too; inputs are scaled by the least and largest values seen on features.
"""

from __future__ import annotations

import logging
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx
from onnx import ModelProto, TensorProto
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from sensebind.backends.tensors import single_rows
from sensebind_engines.export.canonical import canonicalise
from sensebind_engines.export.check import placed_beside
from sensebind_engines.export.lean import LeanGraph, canonical_lean
from sensebind_engines.export.stored import read_lean
from sensebind_engines.half.graph import is_stored_half
from sensebind_engines.half.islands import PRODUCTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sensebind.types import Features

Method = Literal["dynamic", "static"]

_MATRIX_PRODUCTS = frozenset({"MatMul", "Gemm"})


def quantised(path: Path, method: Method, calibration: Features) -> ModelProto:
    """The INT8 form of an FP32 graph of a bundle, canonical.

    Args:
        path: the FP32 graph; weights may lie beside it. It is rewritten for the library in a
            folder beside it, which is removed.
        method: see the module.
        calibration: rows by input name, which "static" looks at.
    """
    options: dict[str, Any] = {"weight_type": QuantType.QInt8, "per_channel": True}
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder, _quiet():
        given, made = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        plain = placed_beside(_plain(read_lean(path)), Path(folder) / "fp32.data")
        given.write_bytes(plain.SerializeToString())
        if method == "dynamic":
            quantize_dynamic(given, made, op_types_to_quantize=list(_MATRIX_PRODUCTS), **options)
        else:
            quantize_static(
                given,
                made,
                _Rows(calibration),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(PRODUCTS),
                activation_type=QuantType.QUInt8,
                **options,
            )
        quantised = onnx.load(str(made))
    used = {node.domain for node in quantised.graph.node}
    kept = [entry for entry in quantised.opset_import if entry.domain in used]
    del quantised.opset_import[:]
    quantised.opset_import.extend(kept)
    return canonicalise(quantised)


def _plain(graph: LeanGraph) -> LeanGraph:
    """A graph with weights that are stored as FP16 and cast spelled as FP32 ones."""
    stored = {weight.name: weight for weight in graph.model.graph.initializer}
    model, outside = ModelProto(), dict(graph.weights)
    model.CopyFrom(graph.model)
    del model.graph.node[:]
    for node in graph.model.graph.node:
        if not is_stored_half(node, stored):
            model.graph.node.append(node)
            continue
        half, name = stored[node.input[0]], node.output[0]
        outside[name] = partial(_widened, graph, half)
        model.graph.initializer.add(
            name=name,
            dims=half.dims,
            data_type=TensorProto.FLOAT,
            data_location=TensorProto.EXTERNAL,
        )
    return canonical_lean(LeanGraph(model, outside))


def _widened(graph: LeanGraph, half: TensorProto) -> NDArray[np.float32]:
    return graph.values(half).astype(np.float32)


def integer_products(model: ModelProto, method: Method) -> set[int]:
    """Indices of the nodes of a bundle's graph whose products a method takes of integers."""
    weights = {weight.name: weight for weight in model.graph.initializer}
    constant = {n.output[0] for n in model.graph.node if is_stored_half(n, weights)} | set(weights)
    chosen = PRODUCTS if method == "static" else _MATRIX_PRODUCTS
    return {
        index
        for index, node in enumerate(model.graph.node)
        if node.op_type in chosen and (method == "static" or node.input[1] in constant)
    }


class _Rows(CalibrationDataReader):  # type: ignore[misc, unused-ignore]
    """Rows of features, one by one."""

    def __init__(self, features: Features) -> None:
        self._rows = single_rows(features)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._rows, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's advice on preparing graphs to itself: ours are prepared."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
