# SPDX-License-Identifier: Apache-2.0
"""The folder of one training run: what is written where, and how it is read back.

```
RUN/
  resolved.toml                the configuration with every default and override; trains the same
  versions.json                versions, platform and threads of the run
  data.json                    by data name: senses, items and content_sha256
  encoders.json                by trained sense its whole EncoderConfig: sizes, front end, window
  anchors.json                 by frozen sense its anchor and the ids of its vectors
  tokenizer.json               of a trained text encoder
  log.jsonl                    a line per logged step
  tensorboard/                 event files, if asked for
  checkpoints/last.safetensors everything needed to go on (see `checkpoint`)
  nodes/<modality>.safetensors final weights of a trained node: the averaged ones if ema_decay > 0
  edges.json                   final temperature and loss of every edge
```

`nodes/` and `edges.json` exist once the run is finished. Every file is replaced as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sensebind.errors import InputError
from sensebind.specs import Strict
from sensebind.types import Modality
from sensebind_engines.models.config import EncoderConfig
from sensebind_engines.training.config_file import config_text, load_config
from sensebind_engines.training.files import (
    explaining_write,
    read_json,
    read_tensors,
    write_bytes,
    write_json,
    write_tensors,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from sensebind_engines.training.config import GraphConfig


class DataRecord(Strict, frozen=True):
    """One data set of a run.

    Attributes:
        modalities: what every item holds.
        items: their number.
        content_sha256: of everything that decides the features without augmentation.
    """

    modalities: tuple[Modality, ...]
    items: int
    content_sha256: str


class EdgeRecord(Strict, frozen=True):
    """One trained edge at the end of a run.

    Attributes:
        pair: as in the configuration.
        data: its data's name.
        loss: its loss's name.
        temperature: the final one.
        value: its loss at the last step.
    """

    pair: tuple[str, str]
    data: str
    loss: str
    temperature: float
    value: float


class AnchorRecord(Strict, frozen=True):
    """One frozen node of a run.

    Attributes:
        source: as the configuration names it.
        encoder_id: identity of its vectors.
        space_id: identity of the anchor's space.
    """

    source: str
    encoder_id: str
    space_id: str


@dataclass(frozen=True)
class Provenance:
    """What a run stands on, besides its configuration.

    Attributes:
        versions: of packages, platform, threads and processes.
        data: what it is trained on, by name.
        encoders: of the trained nodes.
        anchors: of the frozen nodes.
        tokenizer: file of a trained text encoder.
    """

    versions: dict[str, object] = field(default_factory=dict)
    data: dict[str, DataRecord] = field(default_factory=dict)
    encoders: dict[Modality, EncoderConfig] = field(default_factory=dict)
    anchors: dict[Modality, AnchorRecord] = field(default_factory=dict)
    tokenizer: Path | None = None


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run and its typed files."""

    path: Path

    @property
    def resolved(self) -> Path:
        """The configuration as it was used."""
        return self.path / "resolved.toml"

    @property
    def log(self) -> Path:
        """JSON lines, one per logged step."""
        return self.path / "log.jsonl"

    @property
    def checkpoint(self) -> Path:
        """The newest state; see `checkpoint`."""
        return self.path / "checkpoints" / "last.safetensors"

    @property
    def tensorboard(self) -> Path:
        """Folder of event files."""
        return self.path / "tensorboard"

    @property
    def finished(self) -> bool:
        """The run reached its last step and its nodes were written."""
        return self._edges.is_file()

    @property
    def _edges(self) -> Path:
        return self.path / "edges.json"

    def node(self, modality: Modality) -> Path:
        """Final weights of a trained node."""
        return self.path / "nodes" / f"{modality.value}.safetensors"

    @property
    def tokenizer(self) -> Path:
        """A trained text encoder's tokenizer; not there without one."""
        return self.path / "tokenizer.json"

    def begin(self, config: GraphConfig, provenance: Provenance) -> None:
        """Write what is known before the first step; the configuration last.

        Raises:
            InputError: the folder already holds a run.
            SinkError: if it cannot be written.
        """
        if self.resolved.exists():
            raise InputError(
                f"{str(self.path)!r} already holds a run; add --resume to go on with it, or "
                "choose another --out"
            )
        with explaining_write(self.path):
            for folder in (self.checkpoint.parent, self.path / "nodes"):
                folder.mkdir(parents=True, exist_ok=True)
        for name in ("versions", "data", "encoders", "anchors"):
            write_json(self.path / f"{name}.json", getattr(provenance, name))
        if provenance.tokenizer is not None:
            write_bytes(self.tokenizer, provenance.tokenizer.read_bytes())
        write_bytes(self.resolved, config_text(config).encode())

    def config(self) -> GraphConfig:
        """The configuration of the run.

        Raises:
            InputError: if there is no run here.
        """
        if not self.resolved.is_file():
            raise InputError(
                f"{str(self.path)!r} is not the folder of a training run: it has no "
                "resolved.toml; `sensebind train` makes one"
            )
        return load_config(self.resolved)

    def versions(self) -> dict[str, object]:
        """Versions, platform and threads of the run."""
        return read_json(self.path / "versions.json", dict[str, object])

    def data(self) -> dict[str, DataRecord]:
        """What the run is trained on."""
        return read_json(self.path / "data.json", dict[str, DataRecord])

    def encoders(self) -> dict[Modality, EncoderConfig]:
        """What the trained nodes are; `sensebind_engines.models.build` makes them."""
        return read_json(self.path / "encoders.json", dict[Modality, EncoderConfig])

    def anchors(self) -> dict[Modality, AnchorRecord]:
        """What the frozen nodes are."""
        return read_json(self.path / "anchors.json", dict[Modality, AnchorRecord])

    def edges(self) -> tuple[EdgeRecord, ...]:
        """The trained edges of a finished run.

        Raises:
            InputError: if the run is not finished.
        """
        if not self.finished:
            raise InputError(
                f"the run {str(self.path)!r} is not finished; go on with it by "
                "`sensebind train --resume`"
            )
        return read_json(self._edges, tuple[EdgeRecord, ...])

    def weights(self, modality: Modality) -> dict[str, Tensor]:
        """Final weights of a trained node, as its encoder's state_dict.

        Raises:
            InputError: if the run is not finished or does not train the node.
        """
        self.edges()
        if not self.node(modality).is_file():
            raise InputError(f"the run {str(self.path)!r} trains no {modality.value!r} encoder")
        return read_tensors(self.node(modality))

    def finish(
        self, nodes: Mapping[Modality, Mapping[str, Tensor]], edges: tuple[EdgeRecord, ...]
    ) -> None:
        """Write the results; `edges.json` last, as it says that the run is finished.

        Raises:
            SinkError: if they cannot be written.
        """
        for modality, weights in nodes.items():
            write_tensors(self.node(modality), weights)
        write_json(self._edges, edges)
