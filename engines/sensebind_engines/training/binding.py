# SPDX-License-Identifier: Apache-2.0
"""What is trained: the encoders of a binding graph and the temperatures of its edges."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sensebind.errors import ConfigError, InputError
from sensebind_engines.data.base import VECTOR
from sensebind_engines.training.config import CENTROID
from sensebind_engines.training.losses import (
    agreement,
    centroid,
    infonce,
    multi_positive_infonce,
    siglip,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensebind.types import Modality
    from sensebind_engines.training.config import EdgeConfig
    from sensebind_engines.training.graph import BindingGraph

_LARGEST_LOG_SCALE = math.log(100.0)  # as CLIP (Radford et al. 2021, section 2.5) and ImageBind


class Edge(nn.Module):
    """The loss of one edge, with its temperature.

    Attributes:
        config: its configuration.
        log_scale: logarithm of the inverse temperature; a parameter where it is learned.
        bias: SigLIP's, likewise.
    """

    log_scale: Tensor
    bias: Tensor

    def __init__(self, config: EdgeConfig) -> None:
        super().__init__()
        self.config = config
        values = {"log_scale": -math.log(config.temperature), "bias": config.bias}
        for name, value in values.items():
            # A learned bias that no loss reads would be a weight without a gradient.
            if config.learned and (name == "log_scale" or config.loss == "siglip"):
                self.register_parameter(name, nn.Parameter(torch.tensor(value)))
            else:
                self.register_buffer(name, torch.tensor(value), persistent=False)

    @property
    def temperature(self) -> float:
        """The present temperature."""
        return math.exp(-float(self.log_scale.detach()))

    def forward(self, embeddings: Tensor, targets: Tensor, keys: Tensor | None) -> Tensor:
        """Loss of rows that belong together, before the edge's weight."""
        scale, config = self.log_scale.exp(), self.config
        if config.loss == "infonce":
            return infonce(embeddings, targets, scale, keys)
        if config.loss == "multi_positive":
            groups = torch.arange(len(embeddings), device=embeddings.device)
            return multi_positive_infonce(
                embeddings, targets, groups if keys is None else keys, scale
            )
        if config.loss == "siglip":
            return siglip(embeddings, targets, scale, self.bias, keys)
        return agreement(embeddings, targets, scale, config.positives, config.within, keys)

    def clamp(self) -> None:
        """Keep the inverse temperature at most 100.

        The parameter itself is clamped, after an update: clamping in `forward` would cut its
        gradient, and it could never come back.
        """
        with torch.no_grad():
            self.log_scale.clamp_(max=_LARGEST_LOG_SCALE)


class Binding(nn.Module):
    """Encoders and edges of a graph.

    Attributes:
        graph: the binding graph.
        dim: length of the embeddings.
        encoders: by modality's name; frozen nodes have none, their data gives vectors.
        edges: one per edge of the graph, in its order.
    """

    def __init__(
        self, graph: BindingGraph, encoders: Mapping[Modality, nn.Module], dim: int
    ) -> None:
        """Join a graph and an encoder for each node that is trained.

        Raises:
            ConfigError: a trained node without an encoder.
        """
        super().__init__()
        self.graph = graph
        self.dim = dim
        for modality, node in graph.nodes.items():
            if not node.frozen and modality not in encoders:
                raise ConfigError(f"the node {modality.value!r} is to be trained, give its encoder")
        self.encoders = nn.ModuleDict({m.value: encoder for m, encoder in encoders.items()})
        self.edges = nn.ModuleList(map(Edge, graph.edges))

    def embed(self, modality: Modality, features: Mapping[str, Tensor]) -> Tensor:
        """Unit vectors (rows, dim) of one sense: encoded, or as the data gives them."""
        if VECTOR in features:
            return features[VECTOR]
        vectors: Tensor = self.encoders[modality.value](**features)
        return vectors

    def losses(
        self, data: str, vectors: Mapping[Modality, Tensor], keys: Tensor | None
    ) -> dict[int, Tensor]:
        """Loss of every edge that is trained on `data`, by its number, before its weight."""
        losses = {}
        for number, edge in enumerate(self.edges):
            if edge.config.data == data:
                ends = [self._end(edge.config, end, vectors) for end in edge.config.pair]
                losses[number] = edge(*ends, keys)
        return losses

    def clamp(self) -> None:
        """Bring every learned temperature into its range; called after an update."""
        for edge in self.edges:
            if edge.config.learned:
                edge.clamp()

    def check(self, data: str, features: Mapping[Modality, Mapping[str, Tensor]]) -> None:
        """See that a batch has what the graph needs.

        Raises:
            InputError: a sense is missing, is frozen but not given as vectors, or its vectors have
                another length.
        """
        for modality in self.graph.modalities_of(data):
            if modality not in features:
                raise InputError(
                    f"the data {data!r} has no {modality.value!r}, which its edges need; it has "
                    f"{', '.join(m.value for m in features)}"
                )
            inputs, frozen = features[modality], modality.value not in self.encoders
            if frozen is not (VECTOR in inputs):
                raise InputError(
                    f"the data {data!r} gives {'features' if frozen else 'vectors'} of "
                    f"{modality.value!r}, which is {'frozen' if frozen else 'trained'}; expected "
                    f"{'the vectors of its anchor' if frozen else 'features'}"
                )
            if VECTOR in inputs and inputs[VECTOR].shape[1] != self.dim:
                raise InputError(
                    f"the vectors of {modality.value!r} in the data {data!r} have length "
                    f"{inputs[VECTOR].shape[1]}, expected dim = {self.dim}; set dim to it"
                )

    def _end(self, edge: EdgeConfig, end: str, vectors: Mapping[Modality, Tensor]) -> Tensor:
        if end != CENTROID:
            return next(v for modality, v in vectors.items() if modality.value == end)
        members = self.graph.centroids()[edge.data]
        return centroid([vectors[m] for m in members if m not in edge.modalities])
