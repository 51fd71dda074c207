# SPDX-License-Identifier: Apache-2.0
"""What the trainer costs above a plain PyTorch loop of the same model on the same tensors.

The peer is what one would write by hand: take rows, embed both senses, symmetric InfoNCE, backward,
clip, AdamW, set the rate. Both use the fused AdamW, which the trainer takes by itself. Steps
alternate; the ratio is the median over rounds of theirs, in processor time, so that other programs
on the machine count little, and that of the 10th percentiles stands beside it. One thread; the
trainer prepares its batches in the loop. Both run while the process keeps freed memory, as the
trainer does: otherwise page faults, which fall on either by chance, are a quarter of a step.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks._machine import describe
from sensebind.types import Modality
from sensebind_engines.data.base import Batch
from sensebind_engines.models.build import build_encoders
from sensebind_engines.models.config import input_specs
from sensebind_engines.models.sizes import default_config
from sensebind_engines.training.binding import Binding
from sensebind_engines.training.config_file import config_from_table
from sensebind_engines.training.graph import binding_graph
from sensebind_engines.training.heap import keeping_freed_memory
from sensebind_engines.training.trainer import Trainer, reproducible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sensebind_engines.training.config import GraphConfig

TARGET = 0.98
"""Least share of the peer's items per second."""

SENSES = (Modality.IMU, Modality.AUDIO)
BATCHES = {"conv-tiny": 32, "tiny": 16}
"""Size of both encoders to items of a batch."""

_ITEMS = 256
_WARMUP = 4


class Tensors:
    """Paired data that are tensors at hand."""

    def __init__(self, rows: dict[Modality, Tensor]) -> None:
        self.modalities = tuple(rows)
        self.content_sha256 = "0" * 64
        self._rows = rows

    def __len__(self) -> int:
        return len(next(iter(self._rows.values())))

    def describe(self, index: int) -> str:
        """The row's number."""
        return f"row {index}"

    def batch(self, indices: NDArray[np.int64], _rng: np.random.Generator | None) -> Batch:
        """Rows at `indices`."""
        rows = torch.from_numpy(indices)
        return Batch({m: {"features": v[rows]} for m, v in self._rows.items()}, None)


def configuration(size: str, batch: int, steps: int) -> GraphConfig:
    """One edge with a learned temperature."""
    return config_from_table(
        {
            "dim": 128,
            "nodes": {modality.value: {"size": size} for modality in SENSES},
            "edges": [{"pair": [m.value for m in SENSES], "data": "pairs", "learned": True}],
            "schedule": {"steps": steps, "warmup_steps": 10, "learning_rate": 1e-4},
            "training": {"batch": batch, "workers": 0, "threads": 1, "augment": False},
        }
    )


def encoders(config: GraphConfig) -> tuple[dict[Modality, nn.Module], dict[Modality, Tensor]]:
    """Encoders with the same weights every time, and inputs for them."""
    sizes = {m: default_config(m, node.size, config.dim) for m, node in config.nodes.items()}
    torch.manual_seed(0)
    rows = {
        m: torch.randn(_ITEMS, *(a for a in input_specs(c)[0].shape if isinstance(a, int)))
        for m, c in sizes.items()
    }
    return dict(build_encoders(sizes)), rows


def trainer_steps(config: GraphConfig) -> Iterator[float]:
    """The trainer, step by step."""
    modules, rows = encoders(config)
    binding = Binding(binding_graph(config), modules, config.dim)
    return Trainer(binding, {"pairs": Tensors(rows)}, config).steps()


def plain_steps(config: GraphConfig) -> Iterator[float]:
    """The loop one would write by hand."""
    modules, rows = encoders(config)
    first, second = (modules[modality].train() for modality in SENSES)
    log_scale = nn.Parameter(torch.tensor(float(np.log(1 / 0.07))))
    weights = [*first.parameters(), *second.parameters(), log_scale]
    schedule, batch = config.schedule, config.training.batch
    optimiser = torch.optim.AdamW(weights, lr=schedule.learning_rate, fused=True)
    for step in range(schedule.steps):
        place = step * batch % _ITEMS
        if place == 0:
            order = torch.randperm(_ITEMS)
        chosen = order[place : place + batch]
        a, b = first(rows[SENSES[0]][chosen]), second(rows[SENSES[1]][chosen])
        logits = log_scale.exp().clamp(max=100) * a @ b.T
        target = torch.arange(len(logits))
        loss = functional.cross_entropy(logits, target)
        loss = loss + functional.cross_entropy(logits.T, target)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, schedule.clip_norm)
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate * schedule.rate(step)
        optimiser.step()
        yield float(loss.detach())


def measure(size: str, rounds: int) -> dict[str, float | list[float]]:
    """Alternate steps of both after a few unmeasured ones."""
    batch = BATCHES[size]
    config = configuration(size, batch, rounds + _WARMUP)
    loops = [trainer_steps(config), plain_steps(config)]
    for _ in range(_WARMUP):
        _times_ns(loops)
    # The order within a round alternates too: whoever runs second finds other caches.
    times = [
        _times_ns(loops) if index % 2 else _times_ns(loops[::-1])[::-1] for index in range(rounds)
    ]
    ours, peer = ([pair[which] for pair in times] for which in (0, 1))
    low, middle, high = statistics.quantiles([b / a for a, b in times], n=4)
    return {
        "ours_items_per_s": batch * 1e9 / statistics.median(ours),
        "peer_items_per_s": batch * 1e9 / statistics.median(peer),
        "ratio": middle,
        "ratio_p10": statistics.quantiles(peer, n=10)[0] / statistics.quantiles(ours, n=10)[0],
        "ratio_quartiles": [low, high],
    }


def _times_ns(loops: list[Iterator[float]]) -> list[int]:
    """Processor time of the next step of each."""
    times = []
    for loop in loops:
        begin = time.process_time_ns()
        next(loop)
        times.append(time.process_time_ns() - begin)
    return times


def main() -> None:
    """Measure every size, print a line each and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=121, help="alternations per size")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args()
    with reproducible(1), keeping_freed_memory():
        results = {size: measure(size, options.rounds) for size in BATCHES}
    for size, figures in results.items():
        print(
            f"{size}: {figures['ratio']:.3f} of the plain loop's items per second "
            f"(target {TARGET}); {figures['ratio_p10']:.3f} of the 10th percentiles"
        )
    if options.out:
        machine = describe(("sensebind", "torch", "numpy"))
        document = {"machine": machine, "rounds": options.rounds, "sizes": results}
        options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
