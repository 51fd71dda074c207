# SPDX-License-Identifier: Apache-2.0
"""From messages of embeddings and scores to the records of sinks; nothing here needs ROS.

The arguments called `message` are messages of sensebind_msgs, or anything with their fields.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from sensebind.closing import Closing
from sensebind.errors import InputError, SinkError
from sensebind.grid import NS_PER_S
from sensebind.records import Record, RunMetadata
from sensebind.sinks import check_output, open_live_sink
from sensebind.types import Embedding, Fused, Modality

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

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


def scores_of(message: Any) -> NDArray[np.float32]:  # noqa: ANN401
    """The scores of a sensebind_msgs/ZeroShot: float32 (labels,)."""
    return np.array(message.scores, np.float32)


class Pairs:
    """Brings embeddings and their scores together, whichever comes first.

    Attributes:
        unmatched: messages whose other half did not come.
    """

    def __init__(self) -> None:
        self.unmatched = 0
        self._vectors: dict[Key, Any] = {}
        self._scores: dict[Key, Any] = {}

    def take_embedding(self, message: Any) -> tuple[Any, Any] | None:  # noqa: ANN401
        """The pair that an Embedding completes."""
        scores = self._other(message, self._scores, self._vectors)
        return None if scores is None else (message, scores)

    def take_scores(self, message: Any) -> tuple[Any, Any] | None:  # noqa: ANN401
        """The pair that a ZeroShot completes."""
        vector = self._other(message, self._vectors, self._scores)
        return None if vector is None else (vector, message)

    def close(self) -> None:
        """Give up what waits."""
        self.unmatched += len(self._vectors) + len(self._scores)
        self._vectors.clear()
        self._scores.clear()

    def _other(self, message: Any, there: dict[Key, Any], waiting: dict[Key, Any]) -> Any:  # noqa: ANN401
        """The other half of a message if it is there; else the message waits for it."""
        key = message.stream, message.encoder_id, message.grid_ns
        if key in there:
            return there.pop(key)
        waiting[key] = message
        if len(waiting) > WAITING:
            del waiting[next(iter(waiting))]
            self.unmatched += 1
        return None


class Keeper(Closing):
    """Writes embeddings, with their scores where there are any; for one thread.

    A file holds the embeddings of one bundle, scored for one list of labels: when either changes,
    another file is begun, NAME-2.parquet and so on. What takes messages raises InputError or
    ValueError for one that cannot be kept, and SinkError where none can be written any more.

    Attributes:
        files: written so far, the present one last.
        kept: records written.
    """

    def __init__(self, path: Path, node: str) -> None:
        """Nothing is written before the node's bundle is known.

        Raises:
            InputError: if the path cannot be used.
        """
        self.files: list[Path] = []
        self.kept = 0
        self._path = check_output(path)
        self._node = node
        self._bundle: RunMetadata | None = None
        self._sink: Sink | None = None
        self._written: RunMetadata | None = None
        self._pairs = Pairs()
        self._early: deque[tuple[Callable[[Any], None], Any]] = deque(maxlen=WAITING)
        self._forgotten = 0

    @property
    def unmatched(self) -> int:
        """Embeddings that were not kept, and scores without their embedding."""
        return self._pairs.unmatched + self._forgotten

    def take_bundle(self, message: Any) -> None:  # noqa: ANN401
        """Take what the node tells of its bundle and labels."""
        self._bundle = metadata_of(message, self._node)
        early, self._early = self._early, deque(maxlen=WAITING)
        for take, waiting in early:
            take(waiting)

    def take_embedding(self, message: Any) -> None:  # noqa: ANN401
        """Take an embedding; it is kept when its scores are there, if there are to be any."""
        if self._bundle is None:
            self._wait(self.take_embedding, message)
        elif not self._bundle.labels:
            self._write(Record(embedding_of(message), members=tuple(message.members)), ())
        else:
            self._join(self._pairs.take_embedding(message))

    def take_scores(self, message: Any) -> None:  # noqa: ANN401
        """Take the scores of an embedding."""
        if self._bundle is None:
            self._wait(self.take_scores, message)
        else:
            self._join(self._pairs.take_scores(message))

    def close(self) -> None:
        """Finish the file.

        Raises:
            SinkError: if it cannot be written.
        """
        self._pairs.close()
        self._forgotten += len(self._early)
        self._early.clear()
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.close()

    def _wait(self, take: Callable[[Any], None], message: Any) -> None:  # noqa: ANN401
        """Keep what comes before the node has told of its bundle; topics have no common order."""
        self._forgotten += len(self._early) == WAITING
        self._early.append((take, message))

    def _join(self, pair: tuple[Any, Any] | None) -> None:
        if pair is not None:
            vector, scores = pair
            members = tuple(vector.members)
            record = Record(embedding_of(vector), scores.label, scores_of(scores), members=members)
            self._write(record, tuple(scores.labels))

    def _write(self, record: Record, labels: tuple[str, ...]) -> None:
        assert self._bundle is not None
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
        try:
            sink = open_live_sink(path, metadata)
        except InputError as error:  # no message's fault
            raise SinkError(str(error)) from None
        self.files.append(path)
        return sink
