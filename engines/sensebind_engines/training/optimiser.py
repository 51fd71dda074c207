# SPDX-License-Identifier: Apache-2.0
"""The optimiser, its schedule, and operators that give the same weights every time."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias

import torch
from msgspec import Meta
from torch import nn

from sensebind.errors import SenseBindError

if TYPE_CHECKING:
    from collections.abc import Iterator

Beta: TypeAlias = Annotated[float, Meta(ge=0, lt=1)]


class TrainingError(SenseBindError):
    """Training went wrong; nothing was saved."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        steps: number of updates.
        warmup_steps: updates over which the learning rate rises linearly.
        learning_rate: its peak; it then falls as half a cosine to 1 % of it.
        weight_decay: AdamW's, on weights with two or more axes.
        clip_norm: largest gradient norm.
        betas: AdamW's decay rates of the mean and the mean square of gradients.
    """

    steps: Annotated[int, Meta(ge=1)]
    warmup_steps: Annotated[int, Meta(ge=0)]
    learning_rate: Annotated[float, Meta(gt=0)]
    weight_decay: Annotated[float, Meta(ge=0)] = 0.02
    clip_norm: Annotated[float, Meta(gt=0)] = 1.0
    betas: tuple[Beta, Beta] = (0.9, 0.999)

    def rate(self, step: int) -> float:
        """Learning rate of update `step`, counted from 0, as a share of the peak."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        share = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * share))


@contextmanager
def deterministic(threads: int | None = 1) -> Iterator[None]:
    """Deterministic algorithms and a number of threads: sums are taken in one order.

    Args:
        threads: of torch's operators; as many as it has if None.
    """
    before = torch.get_num_threads()
    strict = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads or before)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict)
        torch.set_num_threads(before)


def new_optimiser(
    module: nn.Module, schedule: Schedule, *, fused: bool = False
) -> torch.optim.AdamW:
    """AdamW at the peak rate, for every parameter of `module` that asks for a gradient.

    Args:
        module: what is trained.
        schedule: its rate, decay and betas.
        fused: update all weights in one pass; rounds otherwise than one by one.
    """
    groups = _groups(module, schedule)
    return torch.optim.AdamW(groups, lr=schedule.learning_rate, betas=schedule.betas, fused=fused)


def _groups(module: nn.Module, schedule: Schedule) -> list[dict[str, object]]:
    """Matrices decay; biases, norms and scalars (such as a temperature) do not."""
    wanted = [weight for weight in module.parameters() if weight.requires_grad]
    return [
        {
            "params": [weight for weight in wanted if weight.ndim >= 2],
            "weight_decay": schedule.weight_decay,
        },
        {"params": [weight for weight in wanted if weight.ndim < 2], "weight_decay": 0.0},
    ]
