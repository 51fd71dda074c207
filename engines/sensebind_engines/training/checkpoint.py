# SPDX-License-Identifier: Apache-2.0
"""The whole state of a run in one .safetensors file: bit-exact to resume from, safe to be killed.

Tensors are named `weights.*`, `buffers.*`, `optimiser.<weight>.*` and `average.*`; the metadata
holds the number of steps done. Everything else (rates, order of items, augmentation, dropout) is a
function of that number and the seed. No pickle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import torch
from safetensors import SafetensorError, safe_open

from sensebind.errors import InputError
from sensebind.json_text import NOT_JSON
from sensebind_engines.training.files import read_tensors, write_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor, nn

_KEY = "sensebind"
_FORMAT = 1


class _Header(msgspec.Struct, frozen=True):
    format: int
    steps_done: int
    losses: dict[int, float]


class Average:
    """Exponential moving average of a module's trained weights.

    Attributes:
        values: by name; empty if `decay` is 0.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._decay = decay
        self._weights = dict(_trained(module)) if decay else {}
        self.values = {name: weight.detach().clone() for name, weight in self._weights.items()}

    def update(self, step: int) -> None:
        """Take in the weights after step `step`, counted from 0.

        The first steps weigh more: at step t the decay is at most (1 + t) / (10 + t), so that the
        weights the run began with are soon forgotten.
        """
        if not self.values:
            return
        decay = min(self._decay, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.values.values()), list(self._weights.values()), 1 - decay
            )

    def put_in_place(self) -> None:
        """Overwrite the module's weights with their averages."""
        with torch.no_grad():
            for name, value in self.values.items():
                self._weights[name].copy_(value)


def save_checkpoint(
    path: Path,
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: Average,
    progress: tuple[int, dict[int, float]],
) -> None:
    """Write the state as a whole or not at all.

    Args:
        path: the file.
        module: its trained weights and buffers are written.
        optimiser: of these weights.
        average: of these weights.
        progress: number of steps done, and the last one's loss of every edge by its number.

    Raises:
        SinkError: if it cannot be written; the checkpoint from before is untouched.
    """
    header = msgspec.json.encode(_Header(_FORMAT, *progress)).decode()
    state = dict(_state(module, optimiser, average))
    write_tensors(path, state, {_KEY: header})


def load_checkpoint(
    path: Path, module: nn.Module, optimiser: torch.optim.Optimizer, average: Average
) -> tuple[int, dict[int, float]]:
    """Put a state back.

    Returns:
        the progress that `save_checkpoint` was given.

    Raises:
        InputError: the file is damaged, of another format or of another graph.
    """
    header = _header(path)
    found = read_tensors(path)
    _prepare(module, optimiser)
    wanted = dict(_state(module, optimiser, average))
    _check_same(path, wanted, found)
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(found[name])
    return header.steps_done, header.losses


def _state(
    module: nn.Module, optimiser: torch.optim.Optimizer, average: Average
) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of the state with its name; the tensors themselves, not copies."""
    for name, weight in _trained(module):
        yield f"weights.{name}", weight
        for key, value in optimiser.state[weight].items():
            yield f"optimiser.{name}.{key}", value
    for name, buffer in module.named_buffers():
        yield f"buffers.{name}", buffer
    for name, value in average.values.items():
        yield f"average.{name}", value


def _prepare(module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Make AdamW's state, which it makes itself only in its first step."""
    for _, weight in _trained(module):
        optimiser.state[weight] = {
            "step": torch.zeros((), device=weight.device),
            "exp_avg": torch.zeros_like(weight),
            "exp_avg_sq": torch.zeros_like(weight),
        }


def _trained(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, weight) for name, weight in module.named_parameters() if weight.requires_grad)


def _header(path: Path) -> _Header:
    try:
        with safe_open(path, "pt") as stream:
            text = (stream.metadata() or {}).get(_KEY, "")
        header = msgspec.json.decode(text, type=_Header)
    except (OSError, SafetensorError, *NOT_JSON) as error:
        raise InputError(
            f"{str(path)!r} is not a checkpoint: {error}; begin anew with another --out"
        ) from None
    if header.format != _FORMAT:
        raise InputError(
            f"{str(path)!r} has the format {header.format}, expected {_FORMAT}; resume it with the "
            "version that wrote it"
        )
    return header


def _check_same(path: Path, wanted: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    shapes = [{n: tuple(t.shape) for n, t in state.items()} for state in (wanted, found)]
    if shapes[0] != shapes[1]:
        names = sorted(n for n in shapes[0] | shapes[1] if shapes[0].get(n) != shapes[1].get(n))
        first = names[0]
        raise InputError(
            f"the checkpoint {str(path)!r} is of another graph: {len(names)} tensors differ, the "
            f"first is {first!r}: {shapes[1].get(first)}, expected {shapes[0].get(first)}"
        )
