# SPDX-License-Identifier: Apache-2.0
"""From messages of embeddings and scores to the records of sinks; nothing here needs ROS.

The arguments called `message` are messages of sensebind_msgs, or anything with their fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from sensebind.grid import NS_PER_S
from sensebind.records import Record, RunMetadata
from sensebind.sinks import check_output, open_live_sink
from sensebind.types import Embedding, Fused, Modality

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.sinks.base import Sink

    Key = tuple[str, str, int]

WAITING = 1000
"""Embeddings, or scores, that wait for their other half at most."""


def metadata_of(message: Any, node: str) -> RunMetadata:  # noqa: ANN401
    """What a sensebind_msgs/BundleInfo tells of a node's run."""
    return RunMetadata(
        version=message.version,
        space_id=message.space_id,
        bundle=message.name,
        bundle_id=message.bundle_id,
        encoder_ids=dict(zip(message.modalities, message.encoder_ids, strict=True)),
        dim=message.dim,
        backend=message.backend,
        precision=message.precision,
        source=f"ROS node {node}",
        source_sha256="",
        order="log",
        windows={},
        labels=tuple(message.labels),
    )


def embedding_of(message: Any) -> Embedding:  # noqa: ANN401
    """What a sensebind_msgs/Embedding holds."""
    stamp = message.header.stamp
    fused = message.modality == Fused.JOINT.value
    return Embedding(
        stream=message.stream,
        modality=Fused.JOINT if fused else Modality(message.modality),
        grid_ns=message.grid_ns,
        start_ns=message.start_ns,
        end_ns=message.end_ns,
        stamp_ns=stamp.sec * NS_PER_S + stamp.nanosec,
        coverage=message.coverage,
        valid_fraction=message.valid_fraction,
        encoder_id=message.encoder_id,
        vector=np.array(message.vector, np.float32),
    )


class Keeper:
    """Writes embeddings, with their scores where there are any; for one thread.

    A file holds the embeddings of one bundle, scored for one list of labels: when either changes,
    another file is begun, NAME-2.parquet and so on.

    Attributes:
        files: written so far, the present one last.
        kept: records written.
        unmatched: embeddings whose scores never came, and scores without their embedding.
    """

    def __init__(self, path: Path, node: str) -> None:
        """Nothing is written before the node's bundle is known.

        Raises:
            InputError: if the path cannot be used.
        """
        self.files: list[Path] = []
        self.kept = 0
        self.unmatched = 0
        self._path = check_output(path)
        self._node = node
        self._bundle: RunMetadata | None = None
        self._sink: Sink | None = None
        self._written: RunMetadata | None = None
        self._vectors: dict[Key, tuple[Embedding, tuple[str, ...]]] = {}
        self._scores: dict[Key, Any] = {}

    def take_bundle(self, message: Any) -> None:  # noqa: ANN401
        """Take what the node tells of its bundle and labels."""
        self._bundle = metadata_of(message, self._node)

    def take_embedding(self, message: Any) -> None:  # noqa: ANN401
        """Take an embedding; it is kept when its scores are there, if there are to be any."""
        key = message.stream, message.encoder_id, message.grid_ns
        vector = embedding_of(message), tuple(message.members)
        if self._bundle is not None and not self._bundle.labels:
            self._write(Record(vector[0], members=vector[1]), ())
        elif key in self._scores:
            self._join(vector, self._scores.pop(key))
        else:
            self._vectors[key] = vector
            self._forget(self._vectors)

    def take_scores(self, message: Any) -> None:  # noqa: ANN401
        """Take the scores of an embedding."""
        key = message.stream, message.encoder_id, message.grid_ns
        if key in self._vectors:
            self._join(self._vectors.pop(key), message)
        else:
            self._scores[key] = message
            self._forget(self._scores)

    def close(self) -> None:
        """Finish the file.

        Raises:
            SinkError: if it cannot be written.
        """
        self.unmatched += len(self._vectors) + len(self._scores)
        self._vectors.clear()
        self._scores.clear()
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.close()

    def _join(self, vector: tuple[Embedding, tuple[str, ...]], message: Any) -> None:  # noqa: ANN401
        scores = np.array(message.scores, np.float32)
        record = Record(vector[0], message.label, scores, members=vector[1])
        self._write(record, tuple(message.labels))

    def _write(self, record: Record, labels: tuple[str, ...]) -> None:
        if self._bundle is None:
            self.unmatched += 1
            return
        wanted = msgspec.structs.replace(self._bundle, labels=labels)
        if self._sink is None or wanted != self._written:
            if self._sink is not None:
                self._sink.close()
            self._sink, self._written = self._begin(wanted), wanted
        self._sink.write(record)
        self.kept += 1

    def _begin(self, metadata: RunMetadata) -> Sink:
        number = len(self.files) + 1
        path = self._path
        if number > 1:
            path = path.with_name(f"{path.stem}-{number}{path.suffix}")
        self.files.append(path)
        return open_live_sink(path, metadata)

    def _forget(self, waiting: dict[Key, Any]) -> None:
        if len(waiting) > WAITING:
            del waiting[next(iter(waiting))]
            self.unmatched += 1
