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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from sensebind.backends.tensors import single_rows
from sensebind_engines.export.canonical import canonicalise
from sensebind_engines.half.graph import is_stored_half
from sensebind_engines.half.islands import PRODUCTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensebind.types import Features

Method = Literal["dynamic", "static"]

_MATRIX_PRODUCTS = frozenset({"MatMul", "Gemm"})


def quantised(model: ModelProto, method: Method, calibration: Features) -> ModelProto:
    """The INT8 form of an FP32 graph, canonical.

    Args:
        model: the FP32 graph with its weights; see `plain_graph`.
        method: see the module.
        calibration: rows by input name, which "static" looks at.
    """
    options: dict[str, Any] = {"weight_type": QuantType.QInt8, "per_channel": True}
    with tempfile.TemporaryDirectory() as folder, _quiet():
        given, made = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, str(given), save_as_external_data=True, location="fp32.data")
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


def plain_graph(path: Path) -> ModelProto:
    """A graph of a bundle with weights that are stored as FP16 and cast spelled as FP32 ones."""
    model = onnx.load(str(path))
    weights = {weight.name: weight for weight in model.graph.initializer}
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        if not is_stored_half(node, weights):
            model.graph.node.append(node)
            continue
        values = numpy_helper.to_array(weights[node.input[0]]).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
    return canonicalise(model)


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
