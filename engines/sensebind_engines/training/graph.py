# SPDX-License-Identifier: Apache-2.0
"""The binding graph: which pairs are trained, which are left to emerge, and whether they can.

Senses that no path of edges joins end in spaces that have nothing to do with each other, so a
graph must be connected. Frozen towers of one anchor share a space already and count as joined.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from sensebind.errors import ConfigError
from sensebind_engines.training.config import CENTROID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sensebind.types import Modality
    from sensebind_engines.training.config import EdgeConfig, GraphConfig, NodeConfig

Pair = frozenset["Modality"]


@dataclass(frozen=True)
class BindingGraph:
    """A checked graph.

    Attributes:
        nodes: the senses in use, in the configuration's order.
        edges: the edges between them.
    """

    nodes: dict[Modality, NodeConfig]
    edges: tuple[EdgeConfig, ...]

    @property
    def given(self) -> set[Pair]:
        """Pairs that share a space from the start: frozen towers of one anchor."""
        return {
            frozenset((a, b))
            for a, b in combinations(self.nodes, 2)
            if self.nodes[a].anchor is not None and self.nodes[a].anchor == self.nodes[b].anchor
        }

    @property
    def trained(self) -> set[Pair]:
        """Pairs whose likeness is part of the loss."""
        pairs = {frozenset(edge.modalities) for edge in self.edges if len(edge.modalities) == 2}
        for members in self.centroids().values():
            pairs |= {frozenset(pair) for pair in combinations(members, 2)}
        return pairs

    @property
    def emergent(self) -> dict[Pair, tuple[Modality, ...]]:
        """Pairs that no loss sees, each with a shortest path that joins it."""
        known = self.trained | self.given
        every = (frozenset(pair) for pair in combinations(self.nodes, 2))
        return {pair: self._path(pair) for pair in every if pair not in known}

    def centroids(self) -> dict[str, tuple[Modality, ...]]:
        """By data, the senses bound to the centroid."""
        return {
            data: tuple(e.modalities[0] for e in edges if CENTROID in e.pair)
            for data, edges in self.by_data().items()
            if any(CENTROID in edge.pair for edge in edges)
        }

    def by_data(self) -> dict[str, tuple[EdgeConfig, ...]]:
        """Edges by the data they are trained on."""
        names = dict.fromkeys(edge.data for edge in self.edges)
        return {name: tuple(e for e in self.edges if e.data == name) for name in names}

    def edge_names(self) -> list[str]:
        """A name for each edge: its pair, and its data where that pair has several."""
        pairs = [edge.name for edge in self.edges]
        return [e.name if pairs.count(e.name) == 1 else f"{e.name}@{e.data}" for e in self.edges]

    def modalities_of(self, data: str) -> tuple[Modality, ...]:
        """The senses that items of `data` must hold, in the order of the nodes."""
        used = {m for edge in self.by_data()[data] for m in edge.modalities}
        return tuple(modality for modality in self.nodes if modality in used)

    def components(self) -> list[tuple[Modality, ...]]:
        """Groups of senses that are joined, in the order of the nodes."""
        left, groups = list(self.nodes), []
        while left:
            reached = self._reached(left[0])
            groups.append(tuple(modality for modality in left if modality in reached))
            left = [modality for modality in left if modality not in reached]
        return groups

    def _path(self, pair: Pair) -> tuple[Modality, ...]:
        start, end = (modality for modality in self.nodes if modality in pair)
        path, before = [end], self._reached(start)
        while path[-1] is not start:
            path.append(before[path[-1]])
        return tuple(reversed(path))

    def _reached(self, start: Modality) -> dict[Modality, Modality]:
        """Every sense joined to `start`, with the one before it on a shortest path."""
        links = self.trained | self.given
        before, queue = {start: start}, deque([start])
        while queue:
            here = queue.popleft()
            for there in self.nodes:
                if there not in before and frozenset((here, there)) in links:
                    before[there] = here
                    queue.append(there)
        return before


def binding_graph(config: GraphConfig) -> BindingGraph:
    """The graph of a configuration.

    Raises:
        ConfigError: an edge to a sense that is no node, an edge given twice or with nothing to
            train, a centroid of fewer than three senses, or a graph that is not connected; naming
            the edge or the components.
    """
    chosen = _chosen(config)
    nodes = {modality: node for modality, node in config.nodes.items() if modality in chosen}
    for edge in config.edges:
        _refuse_strangers(edge, config.nodes)
    edges = tuple(edge for edge in config.edges if set(edge.modalities) <= chosen)
    graph = BindingGraph(nodes, edges)
    _check_edges(graph)
    _check_connected(graph)
    return graph


def _chosen(config: GraphConfig) -> set[Modality]:
    chosen = set(config.nodes if config.modalities is None else config.modalities)
    if strangers := chosen - set(config.nodes):
        raise ConfigError(
            f"modalities names {_names(strangers)}, which is no node; "
            f"nodes are {_names(config.nodes)}"
        )
    return chosen


def _refuse_strangers(edge: EdgeConfig, nodes: Iterable[Modality]) -> None:
    known = list(nodes)
    for modality in edge.modalities:
        if modality not in known:
            raise ConfigError(
                f"the edge {edge.name!r} ends at {modality.value!r}, which is no node; nodes are "
                f"{_names(known)}: add [nodes.{modality.value}] or remove the edge"
            )


def _check_edges(graph: BindingGraph) -> None:
    names = [(edge.data, frozenset(edge.pair)) for edge in graph.edges]
    for edge in graph.edges:
        if names.count((edge.data, frozenset(edge.pair))) > 1:
            raise ConfigError(
                f"the edge {edge.name!r} is given twice for the data {edge.data!r}; "
                "keep one and set its weight"
            )
        centroid = graph.centroids().get(edge.data, ()) if CENTROID in edge.pair else ()
        if all(graph.nodes[modality].frozen for modality in (*edge.modalities, *centroid)):
            raise ConfigError(
                f"the edge {edge.name!r} has nothing to train: its ends are frozen anchors; "
                "remove it"
            )
    for data, members in graph.centroids().items():
        if len(members) < 3:
            raise ConfigError(
                f"the centroid of {data!r} has {len(members)} senses ({_names(members)}), expected "
                "at least 3; bind two senses by an ordinary edge"
            )


def _check_connected(graph: BindingGraph) -> None:
    groups = graph.components()
    if len(groups) > 1:
        listing = " | ".join(_names(group) for group in groups)
        raise ConfigError(
            f"the binding graph is not connected: {listing} share no edge, so their vectors could "
            "not be compared; add an edge between them, or leave nodes out with 'modalities'"
        )


def _names(modalities: Iterable[Modality]) -> str:
    return ", ".join(sorted(modality.value for modality in modalities))
