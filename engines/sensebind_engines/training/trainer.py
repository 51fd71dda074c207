# SPDX-License-Identifier: Apache-2.0
"""Trains a binding: batches, gradients, updates, checkpoints and reports, step by step."""

from __future__ import annotations

import math
import signal
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

import torch
from torch import nn

from sensebind_engines.training.checkpoint import Average, load_checkpoint, save_checkpoint
from sensebind_engines.training.gradients import Gradients, named_items
from sensebind_engines.training.heap import keeping_freed_memory
from sensebind_engines.training.optimiser import TrainingError, deterministic, new_optimiser
from sensebind_engines.training.processes import Processes
from sensebind_engines.training.reporting import Log, StepRecord, bar, tensorboard
from sensebind_engines.training.run_folder import EdgeRecord
from sensebind_engines.training.sampling import Sampler, draws, prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from sensebind.types import Modality
    from sensebind_engines.data.base import Batch, PairedData
    from sensebind_engines.training.binding import Binding
    from sensebind_engines.training.config import GraphConfig
    from sensebind_engines.training.reporting import Reporter
    from sensebind_engines.training.run_folder import RunFolder

    Drawn = dict[str, tuple[NDArray[np.int64], Batch]]


class Trainer:
    """A binding on its way.

    Attributes:
        binding: what is trained, in place.
        steps_done: updates so far.
        last: loss of every edge at the last step, by the edge's number.
        average: averaged weights.
    """

    def __init__(
        self,
        binding: Binding,
        data: Mapping[str, PairedData],
        config: GraphConfig,
        processes: Processes | None = None,
    ) -> None:
        """Get ready for the first step.

        Args:
            binding: with weights to begin from.
            data: by the names the edges give.
            config: schedule and training.
            processes: this process among others.

        Raises:
            InputError: data with too few items.
        """
        self.binding = binding.to(config.training.device)
        self.steps_done = 0
        self.last: dict[int, float] = {}
        self._schedule, self._training = config.schedule, config.training
        self._processes = processes or Processes()
        self._data = {name: data[name] for name in binding.graph.by_data()}
        least = max(2, self._processes.world)
        self._samplers = {
            name: Sampler(name, len(items), self._training.batch, self._training.seed, least)
            for name, items in self._data.items()
        }
        self._weights = [w for w in binding.parameters() if w.requires_grad]
        self._optimiser = new_optimiser(binding, self._schedule, fused=True)
        self.average = Average(binding, self._training.ema_decay)
        self._gradients = Gradients(binding, self._training, self._processes, self._data)
        self._rows = 0
        self._since = (time.monotonic(), 0)

    def run(self, folder: RunFolder, *, progress: bool = False) -> None:
        """Train to the last step, from the folder's checkpoint if there is one.

        SIGINT and SIGTERM end it after the present step, with a checkpoint.

        Raises:
            TrainingError: a loss or gradient is not finite; the last checkpoint is kept.
            SinkError: the folder cannot be written to; likewise.
            InputError: items that cannot be used.
            KeyboardInterrupt: it was ended by a signal.
        """
        if folder.checkpoint.is_file():
            self.steps_done, self.last = load_checkpoint(
                folder.checkpoint, self.binding, self._optimiser, self.average
            )
        with ExitStack() as stack:
            stack.enter_context(reproducible(self._training.threads))
            stack.enter_context(keeping_freed_memory())
            stopping = stack.enter_context(_stop_requests())
            tell = self._reporters(folder, stack)
            show = stack.enter_context(
                bar(self._schedule.steps, self.steps_done, shown=progress and self._processes.first)
            )
            for norm in self.steps():
                show(self.steps_done, self._loss())
                self._report(tell, norm)
                if stopping():
                    self._save(folder)
                    raise KeyboardInterrupt
                if self.steps_done % self._training.checkpoint_every == 0:
                    self._save(folder)
            self._save(folder)
        self.average.put_in_place()
        self.binding.eval()
        if self._processes.first:
            folder.finish(self._nodes(), self.edges())
        self._processes.wait()

    def steps(self) -> Iterator[float]:
        """Do the steps that are left; yields each one's gradient norm before clipping."""
        left = range(self.steps_done, self._schedule.steps)
        self.binding.train()
        with closing(prepared(self._draw, left, self._training.workers)) as batches:
            for step, drawn in zip(left, batches, strict=True):
                yield self._step(step, drawn)

    def edges(self) -> tuple[EdgeRecord, ...]:
        """The edges as they are now."""
        return tuple(
            EdgeRecord(
                pair=edge.config.pair,
                data=edge.config.data,
                loss=edge.config.loss,
                temperature=edge.temperature,
                value=self.last.get(number, math.nan),
            )
            for number, edge in enumerate(self.binding.edges)
        )

    def _draw(self, step: int) -> Drawn:
        """Items and this process's rows of every data set for a step."""
        drawn = {}
        for name, data in self._data.items():
            items = self._samplers[name].indices(step)
            generator = None
            if self._training.augment:
                place = ("augmentation", name, step, self._processes.rank)
                generator = draws(self._training.seed, *place)
            drawn[name] = (items, data.batch(self._processes.share(items), generator))
        return drawn

    def _step(self, step: int, drawn: Drawn) -> float:
        self._optimiser.zero_grad(set_to_none=True)
        values: dict[int, float] = {}
        for name, (items, batch) in drawn.items():
            values |= self._gradients.add(step, name, batch, items)
            self._rows += len(items)
        self._share_gradients()
        norm = float(nn.utils.clip_grad_norm_(self._weights, self._schedule.clip_norm))
        if not math.isfinite(norm):
            batches = "; ".join(
                named_items(name, self._data[name], items) for name, (items, _) in drawn.items()
            )
            raise TrainingError(
                f"the gradient became {norm} at step {step} although the losses are finite; its "
                f"batch is {batches}. Look at these items, or lower schedule.learning_rate"
            )
        for group in self._optimiser.param_groups:
            group["lr"] = self._schedule.learning_rate * self._schedule.rate(step)
        self._optimiser.step()
        self.binding.clamp()
        self.average.update(step)
        self.last, self.steps_done = values, step + 1
        return norm

    def _share_gradients(self) -> None:
        """Sum over processes; edges see the whole batch in each, so theirs are averaged."""
        world = self._processes.world
        if world == 1:
            return
        for weight in self.binding.edges.parameters():
            if weight.grad is not None:
                weight.grad /= world
        self._processes.sum_gradients(self._weights)

    def _loss(self) -> float:
        edges = self.binding.graph.edges
        return math.fsum(edges[number].weight * value for number, value in self.last.items())

    def _reporters(self, folder: RunFolder, stack: ExitStack) -> list[Reporter]:
        if not self._processes.first:
            return []
        log = Log(folder.log, self.steps_done)
        stack.callback(log.close)
        reporters: list[Reporter] = [log]
        if self._training.tensorboard:
            reporters.append(stack.enter_context(tensorboard(folder.tensorboard)))
        self._since = (time.monotonic(), self._rows)
        return reporters

    def _report(self, tell: list[Reporter], norm: float) -> None:
        due = self.steps_done % self._training.log_every == 0
        if not tell or not (due or self.steps_done == self._schedule.steps):
            return
        now, (before, rows_before) = time.monotonic(), self._since
        self._since = (now, self._rows)
        names = self.binding.graph.edge_names()
        edges = dict(zip(names, self.binding.edges, strict=True))
        record = StepRecord(
            step=self.steps_done,
            loss=self._loss(),
            edges={names[number]: value for number, value in self.last.items()},
            temperatures={name: edge.temperature for name, edge in edges.items()},
            rate=self._optimiser.param_groups[0]["lr"],
            gradient_norm=norm,
            items_per_s=(self._rows - rows_before) / max(now - before, 1e-9),
        )
        for reporter in tell:
            reporter(record)

    def _save(self, folder: RunFolder) -> None:
        if self._processes.first:
            progress = (self.steps_done, self.last)
            save_checkpoint(
                folder.checkpoint, self.binding, self._optimiser, self.average, progress
            )

    def _nodes(self) -> dict[Modality, dict[str, torch.Tensor]]:
        encoders = self.binding.encoders
        return {
            modality: encoders[modality.value].state_dict()
            for modality in self.binding.graph.nodes
            if modality.value in encoders
        }


@contextmanager
def reproducible(threads: int | None) -> Iterator[None]:
    """Deterministic operators, and the global generator put back afterwards."""
    fill = torch.utils.deterministic.fill_uninitialized_memory
    # Poisoning new memory finds bugs of operators; it does not make them deterministic.
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        with deterministic(threads), torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = fill


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """Note SIGINT and SIGTERM instead of acting on them; yields whether one came."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set  # only the main thread may set handlers
        return
    before = {
        number: signal.signal(number, lambda *_: asked.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
