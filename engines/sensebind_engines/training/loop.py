# SPDX-License-Identifier: Apache-2.0
"""A small training loop that gives the same weights every time: seeded and on one thread."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from sensebind.errors import SenseBindError

StepLoss: TypeAlias = Callable[[torch.Generator], Tensor]
"""Draws one batch with the generator and returns its loss."""


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
    """

    steps: int
    warmup_steps: int
    learning_rate: float
    weight_decay: float = 0.02
    clip_norm: float = 1.0

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
    optimiser = torch.optim.AdamW(_groups(module, schedule), lr=schedule.learning_rate)
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
def deterministic() -> Iterator[None]:
    """One thread and deterministic algorithms only: sums are taken in one order."""
    threads = torch.get_num_threads()
    strict = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict)
        torch.set_num_threads(threads)


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
