# SPDX-License-Identifier: Apache-2.0
"""What small storage does to weights, in numbers and on torch modules.

A graph with small weights and FP32 arithmetic equals a torch module with these rounded weights,
which is therefore the reference that the graph is checked against.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

FloatArray: TypeAlias = NDArray[np.float32]
Int8Array: TypeAlias = NDArray[np.int8]
Module = TypeVar("Module", bound=nn.Module)

SMALLEST_INT8_MATRIX = 1024
"""Elements below which a matrix stays FP32: its scales would eat what it saves."""


def is_worth_int8(shape: Sequence[int]) -> bool:
    """Whether a weight of ``shape`` is stored as INT8: matrices of some size are."""
    return len(shape) == 2 and shape[0] * shape[1] >= SMALLEST_INT8_MATRIX


def round_to_int8(weights: FloatArray) -> tuple[Int8Array, FloatArray]:
    """Quantise symmetrically with one scale per column.

    Args:
        weights: float32 (rows, columns).

    Returns:
        int8 (rows, columns) in -127..127 and float32 (columns,), all above 0; their product is
        nearest to the weights.
    """
    largest = np.abs(weights).max(axis=0)
    scales: FloatArray = np.where(largest > 0, largest / np.float32(127), np.float32(1))
    return np.rint(weights / scales).astype(np.int8), scales


def with_int8_weights(module: Module) -> Module:
    """Return a copy whose linear layers and embedding tables went through `round_to_int8`.

    A linear layer has one scale per output (torch stores it transposed), a table one per column.
    """
    copy = deepcopy(module)
    for layer in copy.modules():
        if isinstance(layer, nn.Linear) and is_worth_int8(layer.weight.shape):
            layer.weight.data = _through_int8(layer.weight.T).T
        elif isinstance(layer, nn.Embedding) and is_worth_int8(layer.weight.shape):
            layer.weight.data = _through_int8(layer.weight)
    return copy


def _through_int8(weights: Tensor) -> Tensor:
    quantised, scales = round_to_int8(weights.detach().numpy())
    return torch.from_numpy(quantised * scales)


def with_fp16_weights(module: Module) -> Module:
    """Return an FP32 copy whose parameters and buffers all fit FP16."""
    copy = deepcopy(module)
    copy.half().float()
    return copy
