# SPDX-License-Identifier: Apache-2.0
"""Paired data and encoders so small that a run takes a fraction of a second."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from sensebind_engines.data.base import VECTOR, Batch
from sensebind_engines.training.binding import Binding
from sensebind_engines.training.config_file import config_from_table
from sensebind_engines.training.graph import binding_graph
from sensebind_engines.training.trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sensebind.types import Modality
    from sensebind_engines.training.config import GraphConfig
    from sensebind_engines.training.processes import Processes

DIM = 8
WIDTH = 6


class FakeData:
    """Noisy views of one hidden vector per item; frozen senses give it as their vector."""

    def __init__(
        self,
        modalities: Sequence[Modality],
        items: int = 20,
        frozen: Sequence[Modality] = (),
        keys: bool = False,
        noise: float = 0.1,
    ) -> None:
        self.modalities = tuple(modalities)
        self.content_sha256 = hashlib.sha256(repr((modalities, items)).encode()).hexdigest()
        rng = np.random.default_rng(0)
        hidden = rng.normal(size=(items, DIM))
        self._rows = {}
        for modality in self.modalities:
            if modality in frozen:
                rows = hidden / np.linalg.norm(hidden, axis=1, keepdims=True)
            else:
                rows = hidden @ rng.normal(size=(DIM, WIDTH))
            self._rows[modality] = torch.tensor(rows, dtype=torch.float32)
        self._frozen = frozenset(frozen)
        self._keys = torch.arange(items) // 2 if keys else None
        self._noise = noise

    def __len__(self) -> int:
        return len(next(iter(self._rows.values())))

    def describe(self, index: int) -> str:
        return f"row {index}"

    def batch(self, indices: NDArray[np.int64], rng: np.random.Generator | None) -> Batch:
        features = {}
        for modality, rows in self._rows.items():
            values = rows[torch.from_numpy(indices)]
            if modality in self._frozen:
                features[modality] = {VECTOR: values}
                continue
            if rng is not None:
                drawn = rng.normal(size=tuple(values.shape)).astype(np.float32)
                values = values + self._noise * torch.from_numpy(drawn)
            features[modality] = {"features": values}
        return Batch(features, None if self._keys is None else self._keys[indices])


class FakeEncoder(nn.Module):  # type: ignore[misc]
    """Two layers and dropout."""

    def __init__(self, dropout: float = 0.0, norm: bool = False) -> None:
        super().__init__()
        middle: list[nn.Module] = [nn.BatchNorm1d(16)] if norm else []
        self.layers = nn.Sequential(
            nn.Linear(WIDTH, 16), *middle, nn.Tanh(), nn.Dropout(dropout), nn.Linear(16, DIM)
        )

    def forward(self, features: Tensor) -> Tensor:
        return nn.functional.normalize(self.layers(features), dim=-1)


def graph_config(
    edges: Sequence[Mapping[str, Any]],
    nodes: Sequence[str] = ("audio", "vision"),
    anchors: Sequence[str] = (),
    steps: int = 12,
    **training: object,
) -> GraphConfig:
    """A configuration; edges may leave out their data."""
    return config_from_table(
        {
            "dim": DIM,
            "nodes": {name: {"anchor": "demo"} if name in anchors else {} for name in nodes},
            "edges": [{"data": "pairs", **edge} for edge in edges],
            "schedule": {"steps": steps, "warmup_steps": 2, "learning_rate": 0.02},
            "training": {"batch": 8, "checkpoint_every": 5, "log_every": 1, **training},
        }
    )


def make_trainer(
    config: GraphConfig,
    *,
    dropout: float = 0.0,
    norm: bool = False,
    keys: bool = False,
    items: int = 20,
    processes: Processes | None = None,
) -> Trainer:
    """A trainer of fake encoders on fake data."""
    graph = binding_graph(config)
    frozen = [modality for modality, node in graph.nodes.items() if node.frozen]
    with torch.random.fork_rng():
        torch.manual_seed(1)
        encoders = {m: FakeEncoder(dropout, norm) for m in graph.nodes if m not in frozen}
    binding = Binding(graph, encoders, DIM)
    data = {
        name: FakeData(graph.modalities_of(name), items, frozen, keys) for name in graph.by_data()
    }
    return Trainer(binding, data, config, processes)


AUDIO_VISION = [{"pair": ["audio", "vision"], "learned": True}]
"""The simplest graph's edges."""
