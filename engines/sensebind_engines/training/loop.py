# SPDX-License-Identifier: Apache-2.0
"""A small training loop that gives the same weights every time: seeded and on one thread."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import torch
from msgspec import Meta
from torch import Tensor, nn

from sensebind.errors import SenseBindError

StepLoss: TypeAlias = Callable[[torch.Generator], Tensor]
"""Draws one batch with the generator and returns its loss."""

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


def train(module: nn.Module, step_loss: StepLoss, schedule: Schedule, seed: int) -> list[float]:
    """Train every parameter of `module` that asks for a gradient.

    Args:
        module: trained in place, left in evaluation mode.
        step_loss: draws a batch and returns its loss; all its randomness from the generator.
        schedule: number of steps and rates.
        seed: of the generator.

    Returns:
        the loss of every step.

    Raises:
        TrainingError: the loss is not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    optimiser = new_optimiser(module, schedule)
    rates = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule.rate)
    losses = []
    with deterministic():
        module.train()
        for step in range(schedule.steps):
            loss = step_loss(generator)
            value = float(loss.detach())
            if not math.isfinite(value):
                raise TrainingError(
                    f"the loss became {value} at step {step}, expected a finite number; "
                    f"lower learning_rate (it is {schedule.learning_rate})"
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
            nn.utils.clip_grad_norm_(module.parameters(), schedule.clip_norm)
            optimiser.step()
            rates.step()
            losses.append(value)
        module.eval()
    return losses


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
