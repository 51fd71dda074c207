# SPDX-License-Identifier: Apache-2.0
"""Export of a torch module to one strongly typed ONNX graph with dynamic axes."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from sensebind_engines.export.lean import LeanGraph, full_graph, lean_graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onnx import ModelProto
    from torch import Tensor, nn

    from sensebind.specs import TensorSpec

OPSET = 20
"""The newest that ONNX Runtime 1.23 and TensorRT 10.3 both read; has GELU as one node."""

_EXAMPLE_AXIS = 3
_LARGEST_AXIS = 512
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "int64": torch.int64}


def export_onnx(
    module: nn.Module, inputs: Sequence[TensorSpec], output: str = "embedding"
) -> ModelProto:
    """Export ``module`` in inference mode to a canonical graph with its weights inside.

    Args:
        module: takes one tensor per input, in order, and returns one tensor.
        inputs: names, dtypes and shapes; an axis given by a name is dynamic, and axes of one name
            have one length.
        output: name of the graph's output.

    Returns:
        the graph, IR 10 and opset `OPSET`, checked by nobody yet
        (`sensebind_engines.export.check.write_graph` does).
    """
    return full_graph(export_lean(module, inputs, output))


def export_lean(
    module: nn.Module, inputs: Sequence[TensorSpec], output: str = "embedding"
) -> LeanGraph:
    """Export as `export_onnx` does, without touching the module's weights."""
    dimensions = {
        axis: torch.export.Dim(axis, min=1, max=_LARGEST_AXIS)
        for spec in inputs
        for axis in spec.shape
        if isinstance(axis, str)
    }
    dynamic = tuple(
        {i: dimensions[axis] for i, axis in enumerate(spec.shape) if isinstance(axis, str)}
        for spec in inputs
    )
    # The exporter does not keep its own names apart from the ones asked for, so it gets others.
    rename = {f"graph.{i}": name for i, name in enumerate([*(s.name for s in inputs), output])}
    *input_names, output_name = rename
    with _quiet(), torch.inference_mode():
        program = torch.onnx.export(
            module.eval(),
            tuple(_example(spec) for spec in inputs),
            input_names=input_names,
            output_names=[output_name],
            dynamic_shapes=dynamic,
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    return lean_graph(program.model, rename)


def _example(spec: TensorSpec) -> Tensor:
    shape = [_EXAMPLE_AXIS if isinstance(axis, str) else axis for axis in spec.shape]
    return torch.ones(shape, dtype=_DTYPES[spec.dtype])


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what the exporter says about packages and tools that this export does not use."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
