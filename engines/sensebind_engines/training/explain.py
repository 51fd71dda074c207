# SPDX-License-Identifier: Apache-2.0
"""What a configuration would train, told without training it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.cli.output import table
from sensebind_engines.training.sampling import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sensebind.types import Modality
    from sensebind_engines.anchors import Tower
    from sensebind_engines.training.assembly import Assembly
    from sensebind_engines.training.config import EdgeConfig

    Towers = Mapping[Modality, Tower]


def explanation(assembly: Assembly) -> str:
    """Nodes and their parameters, edges, what is left to emerge, and the data needed.

    Raises:
        InputError: data that the configuration places and that cannot be read.
    """
    graph, config = assembly.graph, assembly.config
    pairs = len(graph.nodes) * (len(graph.nodes) - 1) // 2
    counts, total = assembly.parameters()
    count = len(graph.edges)
    head = (
        f"{count} edge{'s train' if count > 1 else ' trains'} "
        f"{len(graph.trained)} of {pairs} pairs of "
        f"{len(graph.nodes)} senses; dim {config.dim}; {total:,} parameters are trained"
    )
    parts = [
        head,
        table(["node", "encoder", "parameters"], _nodes(assembly, counts)),
        table(["edge", "loss", "temperature", "weight", "data"], [_edge(e) for e in graph.edges]),
        *_untrained(assembly),
        table(["data", "senses", "items", "left out", "batch", "passes"], _data(assembly)),
        f"schedule: {config.schedule.steps:,} steps, each with a batch of every data",
    ]
    return "\n\n".join(parts)


def _nodes(assembly: Assembly, counts: dict[Modality, int]) -> list[tuple[str, str, str]]:
    rows = []
    for modality, node in assembly.graph.nodes.items():
        if node.frozen:
            rows.append((modality.value, f"frozen, of {node.anchor}", "none trained"))
        else:
            rows.append((modality.value, node.size, f"{counts[modality]:,}"))
    return rows


def _edge(edge: EdgeConfig) -> tuple[str, str, str, str, str]:
    how = "learned from" if edge.learned else "fixed at"
    return (edge.name, edge.loss, f"{how} {edge.temperature:g}", f"{edge.weight:g}", edge.data)


def _untrained(assembly: Assembly) -> Iterator[str]:
    graph = assembly.graph
    if graph.given:
        yield f"given by the anchor: {_listing(graph.given, graph.nodes)}"
    if graph.emergent:
        rows = [
            (_pair(pair, graph.nodes), "-".join(m.value for m in path[1:-1]))
            for pair, path in graph.emergent.items()
        ]
        yield "left to emerge:\n" + table(["pair", "through"], rows)
    else:
        yield "left to emerge: none"


def _data(assembly: Assembly) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    placed = any(name in assembly.config.data for name in assembly.graph.by_data())
    towers = assembly.open_towers() if placed else {}
    for name in assembly.graph.by_data():
        senses = ", ".join(m.value for m in assembly.graph.modalities_of(name))
        rows.append((name, senses, *_items(assembly, name, towers)))
    return rows


def _items(assembly: Assembly, name: str, towers: Towers) -> tuple[str, str, str, str]:
    """Items, rows left out, items of a batch and passes, where it is known where they are."""
    config = assembly.config
    if name not in config.data:
        return f"not given: set data.{name}.manifest", "", str(config.training.batch), "unknown"
    data = assembly.open_one(name, towers)
    sampler = Sampler(name, len(data), config.training.batch, config.training.seed)
    passes = f"{config.schedule.steps / sampler.epoch_steps:.1f}"
    return f"{len(data):,}", _rows(data.left_out), str(sampler.batch), passes


def _rows(count: int) -> str:
    return f"{count:,} row{'s' if count != 1 else ''}"


def _listing(pairs: Iterable[frozenset[Modality]], order: Iterable[Modality]) -> str:
    return ", ".join(_pair(pair, order) for pair in pairs)


def _pair(pair: frozenset[Modality], order: Iterable[Modality]) -> str:
    return "-".join(modality.value for modality in order if modality in pair)
