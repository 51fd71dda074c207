# SPDX-License-Identifier: Apache-2.0
"""What every shipped graph must be: written only if it is, measured against its module."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch
from onnx import ModelProto

from sensebind.backends.onnx_session import open_session
from sensebind.errors import BundleError
from sensebind.storage import atomic_path
from sensebind_engines.export.canonical import IR_VERSION, canonicalise
from sensebind_engines.export.lean import (
    LeanGraph,
    data_bytes,
    with_weights_as_inputs,
    write_full,
)
from sensebind_engines.export.onnx_export import OPSET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray
    from torch import nn

DATA_LIMIT_BYTES = 1_500_000_000
"""Weights beyond this lie in one file beside the graph: a message ends at 2 GiB."""

_ALIGNMENT = 4096
"""Of weights in that file: a page, so that it can be mapped."""


def write_graph(model: ModelProto, path: Path) -> bytes:
    """Check a graph against the bundle's contract, write it and return its bytes.

    Raises:
        BundleError: the graph is not valid, too new, not canonical, or has a fixed batch.
    """
    content: bytes = model.SerializeToString(deterministic=True)
    check_graph(LeanGraph(model, {}), path.name)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return content


def write_lean(graph: LeanGraph, path: Path, limit_bytes: int = DATA_LIMIT_BYTES) -> None:
    """Check and write a graph; weights of more than `limit_bytes` go to ``<path>.data``.

    Raises:
        BundleError: as `write_graph`.
    """
    check_graph(graph, path.name)
    if sum(data_bytes(weight) for weight in graph.external) <= limit_bytes:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            write_full(graph, file)
        return
    beside = path.with_name(f"{path.name}.data")
    with atomic_path(beside) as temporary:
        model = placed_beside(graph, temporary, beside.name)
    with atomic_path(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))


def placed_beside(graph: LeanGraph, path: Path, location: str | None = None) -> ModelProto:
    """Write the weights one after the other; return the graph that says where each lies.

    Args:
        graph: its weights outside are written.
        path: the new file.
        location: the file's name in the graph, if it is going to be another.
    """
    model = ModelProto()
    model.CopyFrom(graph.model)
    with path.open("wb") as file:
        for weight in LeanGraph(model, graph.weights).external:
            offset = -(-file.tell() // _ALIGNMENT) * _ALIGNMENT
            file.seek(offset)
            graph.array(weight.name).tofile(file)
            entries = {
                "location": location or path.name,
                "offset": offset,
                "length": data_bytes(weight),
            }
            for key, value in entries.items():
                weight.external_data.add(key=key, value=str(value))
    return model


def check_graph(graph: LeanGraph, name: str) -> None:
    """Check a graph against the bundle's contract; `name` is its file's, for messages.

    Raises:
        BundleError: as `write_graph`.
    """
    model = graph.model
    typed = with_weights_as_inputs(model) if graph.weights else model
    try:
        onnx.checker.check_model(typed, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise BundleError(f"{name} is not a valid ONNX graph: {error}") from error
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if model.ir_version != IR_VERSION or set(opsets) != {""} or opsets[""] > OPSET:
        raise BundleError(
            f"{name} has IR version {model.ir_version} and opsets {opsets}, expected "
            f"{IR_VERSION} and the standard operators up to {OPSET}; export it with export_onnx"
        )
    if model.functions or model != canonicalise(model):
        raise BundleError(
            f"{name} is not canonical: it holds functions, metadata or names of its build; "
            "pass it through canonicalise"
        )
    for value in (*model.graph.input, *model.graph.output):
        axes = value.type.tensor_type.shape.dim
        if not axes or axes[0].dim_param != "batch":
            raise BundleError(f"{name}: axis 0 of {value.name!r} must be dynamic, 'batch'")


def run_graph(graph: bytes, features: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Run a graph of one output as the runtime does, on one CPU thread."""
    (output,) = open_session(graph, 1).run(None, dict(features))
    return output


def run_module(module: nn.Module, features: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Run a module of one output in inference mode; its arguments in the order of ``features``."""
    module.eval()
    with torch.inference_mode():
        output: NDArray[np.float32] = module(
            *(torch.from_numpy(array) for array in features.values())
        ).numpy()
    return output


def largest_difference(
    graph: bytes | Path,
    module: nn.Module,
    features: Mapping[str, NDArray[Any]],
    batch: int | Sequence[int],
) -> float:
    """Return max |graph - module| over batches made by repeating the rows of ``features``.

    Args:
        graph: its bytes, or its file where weights lie beside it.
        module: what it was exported from.
        features: rows of the module's inputs, in order.
        batch: one length of a batch, or several.
    """
    session = open_session(str(graph) if isinstance(graph, Path) else graph, 1)
    differences = []
    for rows in [batch] if isinstance(batch, int) else batch:
        repeated = {
            name: np.ascontiguousarray(np.resize(array, (rows, *array.shape[1:])))
            for name, array in features.items()
        }
        (output,) = session.run(None, repeated)
        differences.append(float(np.abs(output - run_module(module, repeated)).max()))
    return max(differences)
