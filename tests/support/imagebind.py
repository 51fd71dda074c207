# SPDX-License-Identifier: Apache-2.0
"""Weights, inputs and outputs of ImageBind's implementation by the rule of its golden file."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sensebind_engines.imagebind.layout import modality_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from sensebind.types import Modality

_FILE = Path(__file__).parents[1] / "engines" / "imagebind" / "golden.npz"

INPUT_SHAPES = {
    "vision": (2, 3, 224, 224),
    "vision_video": (1, 2, 3, 2, 224, 224),
    "audio": (2, 3, 1, 128, 204),
    "audio_single": (2, 1, 128, 204),
    "depth": (2, 1, 224, 224),
    "thermal": (2, 1, 224, 224),
    "imu": (2, 6, 2000),
}


@cache
def golden() -> Mapping[str, NDArray[Any]]:
    """Arrays of the golden file by name."""
    with np.load(_FILE) as arrays:
        return dict(arrays)


def all_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the checkpoint's 1311 tensors."""
    pairs = (str(entry).split(" ", 1) for entry in golden()["keys"])
    return {name: tuple(ast.literal_eval(shape)) for name, shape in pairs}


def rule_input(name: str) -> Tensor:
    """The input of that name, in ImageBind's order of axes."""
    draws = _rng(f"input/{name}").standard_normal(INPUT_SHAPES[name], dtype=np.float32)
    return torch.from_numpy(draws)


def rule_state(modalities: Iterable[Modality]) -> dict[str, Tensor]:
    """The checkpoint's tensors of some towers."""
    wanted = set(modalities)
    return {
        name: rule_weight(name, shape)
        for name, shape in all_shapes().items()
        if modality_of(name) in wanted
    }


def rule_weight(name: str, shape: tuple[int, ...]) -> Tensor:
    """One tensor of the checkpoint."""
    if name.endswith("log_logit_scale"):
        return torch.tensor(golden()[f"scale/{name}"])
    if name.endswith(".mask"):
        return torch.full(shape, float("-inf")).triu(1)
    draws = _rng(name).standard_normal(shape, dtype=np.float32)
    draws *= np.float32(0.02)
    if len(shape) == 1 and name.endswith("weight"):
        draws += np.float32(1)
    return torch.from_numpy(draws)


def _rng(name: str) -> np.random.Generator:
    digest = hashlib.sha256(f"public/{name}".encode()).digest()
    return np.random.Generator(np.random.Philox(int.from_bytes(digest[:8], "little")))
