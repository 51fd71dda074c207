# SPDX-License-Identifier: Apache-2.0
"""Several processes that train one model, as started by torchrun.

Each embeds its share of the batch; all vectors are gathered, so that every process sees the whole
batch's negatives and the same loss; gradients are summed. Two processes give the loss and the
gradient of one with the same batch. Run with gloo on CPUs; nccl (device "cuda") is untested.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, distributed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from torch import nn


@dataclass(frozen=True)
class Processes:
    """This process among all.

    Attributes:
        rank: its number.
        world: how many there are.
    """

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """This one writes files and shows progress."""
        return self.rank == 0

    def share(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """This process's contiguous part of a batch; parts differ by at most one row."""
        return np.array_split(indices, self.world)[self.rank]

    def rows(self, total: int) -> slice:
        """Where its part of `total` gathered rows lies."""
        sizes = self._sizes(total)
        start = sum(sizes[: self.rank])
        return slice(start, start + sizes[self.rank])

    def gather(self, rows: Tensor, total: int) -> Tensor:
        """The parts of all processes, in order of rank; without a gradient."""
        if self.world == 1:
            return rows
        sizes = self._sizes(total)
        # gloo gathers equal shapes only.
        padded = rows.new_zeros(max(sizes), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in sizes]
        distributed.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add the gradients of all processes, in all of them."""
        if self.world == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()

    def wait(self) -> None:
        """Return when all processes are here."""
        if self.world > 1:
            distributed.barrier()

    def _sizes(self, total: int) -> list[int]:
        whole, rest = divmod(total, self.world)
        return [whole + (rank < rest) for rank in range(self.world)]


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the processes that torchrun started; one alone if it did not."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Processes()
        return
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), world)
    finally:
        distributed.destroy_process_group()
