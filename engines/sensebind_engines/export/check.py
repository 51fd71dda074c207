# SPDX-License-Identifier: Apache-2.0
"""What every shipped graph must be: written only if it is, measured against its module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch

from sensebind.backends.onnxruntime import open_session
from sensebind.errors import BundleError
from sensebind.storage import atomic_path
from sensebind_engines.export.canonical import IR_VERSION, canonicalise
from sensebind_engines.export.onnx_export import OPSET

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray
    from onnx import ModelProto
    from torch import nn


def write_graph(model: ModelProto, path: Path) -> bytes:
    """Check a graph against the bundle's contract, write it and return its bytes.

    Raises:
        BundleError: the graph is not valid, too new, not canonical, or has a fixed batch.
    """
    content: bytes = model.SerializeToString(deterministic=True)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise BundleError(f"{path.name} is not a valid ONNX graph: {error}") from error
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if model.ir_version != IR_VERSION or set(opsets) != {""} or opsets[""] > OPSET:
        raise BundleError(
            f"{path.name} has IR version {model.ir_version} and opsets {opsets}, expected "
            f"{IR_VERSION} and the standard operators up to {OPSET}; export it with export_onnx"
        )
    if model.functions or content != canonicalise(model).SerializeToString(deterministic=True):
        raise BundleError(
            f"{path.name} is not canonical: it holds functions, metadata or names of its build; "
            "pass it through canonicalise"
        )
    for value in (*model.graph.input, *model.graph.output):
        axes = value.type.tensor_type.shape.dim
        if not axes or axes[0].dim_param != "batch":
            raise BundleError(f"{path.name}: axis 0 of {value.name!r} must be dynamic, 'batch'")
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return content


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
    graph: bytes, module: nn.Module, features: Mapping[str, NDArray[Any]], batch: int
) -> float:
    """Return max |graph - module| over a batch made by repeating the rows of ``features``."""
    repeated = {
        name: np.ascontiguousarray(np.resize(array, (batch, *array.shape[1:])))
        for name, array in features.items()
    }
    return float(np.abs(run_graph(graph, repeated) - run_module(module, repeated)).max())
