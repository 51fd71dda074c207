# SPDX-License-Identifier: Apache-2.0
"""From a configuration to what is trained: encoders, frozen towers and opened data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import torch
from tokenizers import Tokenizer

from sensebind.errors import ConfigError, InputError
from sensebind.specs import TextSpec
from sensebind.storage import data_folder, sha256_of_file
from sensebind.types import Modality
from sensebind_engines.anchors import Anchor
from sensebind_engines.data.paired import ManifestData
from sensebind_engines.models.build import build_encoders
from sensebind_engines.models.config import Transformer, encoder_spec
from sensebind_engines.models.sizes import default_config
from sensebind_engines.training.binding import Binding
from sensebind_engines.training.files import read_tensors
from sensebind_engines.training.graph import binding_graph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from sensebind_engines.anchors import Tower
    from sensebind_engines.data.base import PairedData
    from sensebind_engines.models.config import EncoderConfig
    from sensebind_engines.training.config import GraphConfig, NodeConfig
    from sensebind_engines.training.graph import BindingGraph


@dataclass(frozen=True)
class Assembly:
    """A checked configuration, nothing read or built yet.

    Attributes:
        config: as given.
        graph: its binding graph.
        encoders: of the trained nodes.
        tokenizer: file of the trained text encoder; None without one.
    """

    config: GraphConfig
    graph: BindingGraph
    encoders: dict[Modality, EncoderConfig]
    tokenizer: Path | None

    def binding(self) -> Binding:
        """Encoders with new weights, drawn from the seed, or those the nodes begin from.

        Raises:
            InputError: weights that cannot be read or are of another encoder.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.training.seed)
            encoders: dict[Modality, nn.Module] = dict(
                build_encoders(self.encoders, self.config.trunk)
            )
        for modality, encoder in encoders.items():
            begin = self.graph.nodes[modality].weights
            if begin is not None:
                _load(encoder, modality, Path(begin))
        return Binding(self.graph, encoders, self.config.dim)

    def parameters(self) -> tuple[dict[Modality, int], int]:
        """Number of weights of each trained node, and of all; a shared trunk counts in each."""
        with torch.device("meta"):
            encoders = build_encoders(self.encoders, self.config.trunk)
        counts = {m: sum(w.numel() for w in e.parameters()) for m, e in encoders.items()}
        every = {w for encoder in encoders.values() for w in encoder.parameters()}
        return counts, sum(w.numel() for w in every)

    def open_towers(self) -> dict[Modality, Tower]:
        """The frozen nodes, each anchor opened once.

        Raises:
            BundleError, InputError: an anchor that is not there or lacks a tower.
            ConfigError: an anchor whose vectors have another length than `dim`.
        """
        frozen = {m: n.anchor for m, n in self.graph.nodes.items() if n.anchor is not None}
        towers: dict[Modality, Tower] = {}
        for source in dict.fromkeys(frozen.values()):
            modalities = [modality for modality in frozen if frozen[modality] == source]
            anchor = Anchor.open(source, modalities)
            if anchor.dim != self.config.dim:
                raise ConfigError(
                    f"dim is {self.config.dim}, but the vectors of the anchor {source!r} have "
                    f"length {anchor.dim}; set dim to it"
                )
            towers |= {modality: anchor.tower(modality) for modality in modalities}
        return towers

    def open_data(self, towers: Mapping[Modality, Tower]) -> dict[str, PairedData]:
        """The data of all edges, with the vectors of frozen nodes.

        Raises:
            ConfigError: data that the configuration does not place.
            InputError: what cannot be read, naming manifest, row and file.
        """
        return {name: self.open_one(name, towers) for name in self.graph.by_data()}

    def open_one(self, name: str, towers: Mapping[Modality, Tower]) -> ManifestData:
        """The data of one name; errors as `open_data`."""
        modalities = self.graph.modalities_of(name)
        if name not in self.config.data:
            raise ConfigError(
                f"no place is given for the data {name!r}, which needs items of "
                f"{', '.join(m.value for m in modalities)}; write [data.{name}] with a manifest, "
                f"or --set data.{name}.manifest=FILE"
            )
        own = {modality: towers[modality] for modality in modalities if modality in towers}
        specs = {m: own[m].spec if m in own else encoder_spec(self.encoders[m]) for m in modalities}
        return ManifestData(
            self.config.data[name], specs, folder=Path.cwd(), tokenizer=self.tokenizer, towers=own
        )


def assemble(config: GraphConfig) -> Assembly:
    """Check a configuration.

    Raises:
        ConfigError: naming what does not fit together.
    """
    graph = binding_graph(config)
    trained = {m: node for m, node in graph.nodes.items() if not node.frozen}
    text = trained.get(Modality.TEXT)
    tokenizer = None if text is None else _tokenizer(text)
    encoders = {m: _encoder(m, node, config.dim, tokenizer) for m, node in trained.items()}
    return Assembly(config, graph, encoders, tokenizer)


def _tokenizer(text: NodeConfig) -> Path:
    shipped = data_folder() / "bundles" / "demo" / "tokenizer.json"
    path = shipped if text.tokenizer is None else Path(text.tokenizer)
    if not path.is_file():
        raise ConfigError(f"nodes.text.tokenizer is {str(path)!r}, which is no file")
    return path


def _encoder(
    modality: Modality, node: NodeConfig, dim: int, tokenizer: Path | None
) -> EncoderConfig:
    encoder = default_config(modality, node.size, dim, node.encoder)
    if tokenizer is None or modality is not Modality.TEXT or encoder.preprocess is not None:
        return encoder
    words = Tokenizer.from_file(str(tokenizer)).get_vocab_size()
    assert isinstance(encoder.network, Transformer)  # as every text encoder's
    network = msgspec.structs.replace(encoder.network, vocabulary=words)
    spec = TextSpec(
        tokenizer="tokenizer.json",
        tokenizer_sha256=sha256_of_file(tokenizer),
        max_tokens=network.context,
    )
    return msgspec.structs.replace(encoder, network=network, preprocess=spec)


def _load(encoder: nn.Module, modality: Modality, path: Path) -> None:
    try:
        encoder.load_state_dict(read_tensors(path))
    except RuntimeError as error:
        raise InputError(f"{path} does not fit the {modality.value} encoder: {error}") from None
