# SPDX-License-Identifier: Apache-2.0
"""The folder of one training run: what is written where, and how it is read back.

```
RUN/
  resolved.toml                the configuration with every default and override; trains the same
  versions.json                versions, platform and threads of the run
  data.json                    by data name: senses, items and content_sha256
  log.jsonl                    a line per logged step
  tensorboard/                 event files, if asked for
  checkpoints/last.safetensors everything needed to go on (see `checkpoint`)
  nodes/<modality>.safetensors final weights of a trained node: the averaged ones if ema_decay > 0
  edges.json                   final temperature and loss of every edge
```

`nodes/` and `edges.json` exist once the run is finished. Every file is replaced as a whole.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from sensebind.errors import InputError, SinkError
from sensebind.specs import Strict
from sensebind.storage import atomic_path
from sensebind.types import Modality  # noqa: TC001 - msgspec reads the annotations
from sensebind_engines.training.config_file import config_text, load_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import Tensor

    from sensebind_engines.training.config import GraphConfig

T = TypeVar("T")


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

    def begin(
        self, config: GraphConfig, versions: dict[str, object], data: dict[str, DataRecord]
    ) -> None:
        """Write what is known before the first step.

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
        _write_json(self.path / "versions.json", versions)
        _write_json(self.path / "data.json", data)
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
        return _read_json(self.path / "versions.json", dict[str, object])

    def data(self) -> dict[str, DataRecord]:
        """What the run is trained on."""
        return _read_json(self.path / "data.json", dict[str, DataRecord])

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
        return _read_json(self._edges, tuple[EdgeRecord, ...])

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
        _write_json(self._edges, edges)


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write a .safetensors file as a whole or not at all.

    Raises:
        SinkError: if it cannot be written; an earlier file of that name is untouched.
    """
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with explaining_write(path), atomic_path(path) as temporary:
        save_file(own, temporary, metadata)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a .safetensors file.

    Raises:
        InputError: if it is missing or damaged.
    """
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot read the weights {str(path)!r}: {error}") from None
    return tensors


def write_bytes(path: Path, content: bytes) -> None:
    """Write a small file as a whole or not at all.

    Raises:
        SinkError: if it cannot be written; an earlier file of that name is untouched.
    """
    with explaining_write(path), atomic_path(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def explaining_write(path: Path) -> Iterator[None]:
    """Turn a failure to write `path` into a SinkError that says what is kept and how to go on."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise SinkError(
            f"cannot write {str(path)!r}: {error}; free some space or check the folder, then go on "
            "with --resume. What was written before is untouched"
        ) from error


def _write_json(path: Path, value: object) -> None:
    write_bytes(path, msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")


def _read_json(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"cannot read {str(path)!r} of the run: {error}") from None
