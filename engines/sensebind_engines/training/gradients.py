# SPDX-License-Identifier: Apache-2.0
"""Losses and gradients of one step, in parts that fit in memory and over several processes.

A contrastive loss needs all vectors of the batch at once but not all activations. The vectors are
computed first, the loss is differentiated with respect to them, and those gradients are then led
back through the encoders part by part (GradCache, Gao et al. 2021, section 3). With one part this
is plain back-propagation; with more, each part is embedded a second time with the same dropout.
The gradient is that of the whole batch, except that batch normalisation sees one part at a time.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from sensebind_engines.training.optimiser import TrainingError
from sensebind_engines.training.sampling import seeds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from sensebind.types import Modality
    from sensebind_engines.data.base import Batch, PairedData
    from sensebind_engines.training.binding import Binding
    from sensebind_engines.training.config import TrainingConfig
    from sensebind_engines.training.processes import Processes

    Vectors = dict[Modality, Tensor]
    Part = dict[Modality, dict[str, Tensor]]

_NAMED_ITEMS = 16


class Gradients:
    """Fills the gradients of a binding, batch by batch.

    Args:
        binding: what is trained.
        training: parts, precision, device and seed.
        processes: who else embeds parts of the batch.
        data: by name; says where items are found.
    """

    def __init__(
        self,
        binding: Binding,
        training: TrainingConfig,
        processes: Processes,
        data: Mapping[str, PairedData],
    ) -> None:
        self._binding = binding
        self._data = data
        self._training = training
        self._processes = processes
        self._modalities = {data: binding.graph.modalities_of(data) for data in _data(binding)}

    def add(self, step: int, data: str, batch: Batch, items: NDArray[np.int64]) -> dict[int, float]:
        """Add the gradient of one data set's batch.

        Args:
            step: number of the step, for the draws of dropout.
            data: name of the data set.
            batch: this process's rows.
            items: indices of all processes' rows.

        Returns:
            the loss of each edge, by its number.

        Raises:
            TrainingError: a loss is not finite, naming edge, step and items; nothing was added.
        """
        features = self._used(data, batch)
        rows = len(next(iter(next(iter(features.values())).values())))
        spans = _spans(rows, self._training.micro_batch or rows)
        parts = [_part(features, span) for span in spans]
        place = ("dropout", data, step, self._processes.rank)
        dropout = seeds(len(parts), *place, self._training.seed)
        vectors = self._embed_all(parts, dropout)
        total = len(items)
        leaves = {m: self._leaf(m, v, total) for m, v in vectors.items()}
        keys = None if batch.keys is None else self._processes.gather(batch.keys, total)
        losses = self._binding.losses(data, leaves, keys)
        values = {number: float(loss.detach()) for number, loss in losses.items()}
        self._check(values, step, items)
        edges = self._binding.graph.edges
        weights = [loss.new_tensor(edges[n].weight) for n, loss in losses.items()]
        torch.autograd.backward(list(losses.values()), weights)
        own = self._processes.rows(total)
        slopes = {m: leaf.grad[own] for m, leaf in leaves.items() if leaf.grad is not None}
        self._lead_back(vectors, parts, dropout, spans, slopes)
        return values

    def _used(self, data: str, batch: Batch) -> Part:
        """The senses the edges need, on the device."""
        self._binding.check(data, batch.features)
        device = self._training.device
        return {
            modality: {name: tensor.to(device) for name, tensor in batch.features[modality].items()}
            for modality in self._modalities[data]
        }

    def _embed_all(self, parts: list[Part], dropout: list[int]) -> Vectors:
        """Vectors of this process's rows; with a graph only where there is one part."""
        if len(parts) == 1:
            return self._embed(parts[0], dropout[0])
        with torch.no_grad(), keeping_buffers(self._binding):
            made = [self._embed(part, seed) for part, seed in zip(parts, dropout, strict=True)]
        return {modality: torch.cat([part[modality] for part in made]) for modality in made[0]}

    def _embed(self, part: Part, seed: int) -> Vectors:
        # torch.manual_seed would also queue a call for every accelerator that is not in use.
        torch.default_generator.manual_seed(seed)
        if self._training.device == "cuda":
            torch.cuda.manual_seed(seed)
        half = self._training.precision == "bf16"
        with torch.autocast(self._training.device, torch.bfloat16, enabled=half):
            made = {
                modality: self._binding.embed(modality, inputs) for modality, inputs in part.items()
            }
        return {
            modality: vectors.float() if half else vectors for modality, vectors in made.items()
        }

    def _leaf(self, modality: Modality, vectors: Tensor, total: int) -> Tensor:
        gathered = self._processes.gather(vectors.detach(), total)
        return gathered.requires_grad_(modality.value in self._binding.encoders)

    def _lead_back(
        self,
        vectors: Vectors,
        parts: list[Part],
        dropout: list[int],
        spans: list[slice],
        slopes: Vectors,
    ) -> None:
        """From gradients of the vectors to gradients of the weights."""
        for part, seed, span in zip(parts, dropout, spans, strict=True):
            made = vectors if len(parts) == 1 else self._embed(part, seed)
            ends = [modality for modality in slopes if made[modality].requires_grad]
            torch.autograd.backward(
                [made[modality] for modality in ends], [slopes[modality][span] for modality in ends]
            )

    def _check(self, values: dict[int, float], step: int, items: NDArray[np.int64]) -> None:
        for number, value in values.items():
            if not math.isfinite(value):
                edge = self._binding.graph.edges[number]
                batch = named_items(edge.data, self._data[edge.data], items)
                raise TrainingError(
                    f"the loss of the edge {edge.name!r} became {value} at step {step}, expected a "
                    f"finite number; its batch is {batch}. "
                    "Look at these items, or lower schedule.learning_rate"
                )


@contextmanager
def keeping_buffers(module: nn.Module) -> Iterator[None]:
    """Undo changes of buffers, such as running statistics, that the block makes."""
    kept = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        for buffer, value in kept:
            buffer.copy_(value)


def named_items(name: str, data: PairedData, items: NDArray[np.int64]) -> str:
    """Say where the items of a data set that a batch holds are found."""
    listing = "; ".join(data.describe(item) for item in sorted(items.tolist())[:_NAMED_ITEMS])
    more = f" and {len(items) - _NAMED_ITEMS} more" if len(items) > _NAMED_ITEMS else ""
    return f"{listing}{more} of the data {name!r}"


def _spans(rows: int, largest: int) -> list[slice]:
    """Parts of `rows` as even as possible: one row alone has no batch statistics."""
    count = -(-rows // largest)
    bounds = [rows * number // count for number in range(count + 1)]
    return [slice(start, end) for start, end in pairwise(bounds)]


def _data(binding: Binding) -> tuple[str, ...]:
    return tuple(binding.graph.by_data())


def _part(features: Mapping[Modality, Mapping[str, Tensor]], span: slice) -> Part:
    return {
        m: {name: tensor[span] for name, tensor in inputs.items()} for m, inputs in features.items()
    }
