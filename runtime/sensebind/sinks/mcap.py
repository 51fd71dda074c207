# SPDX-License-Identifier: Apache-2.0
"""MCAP: one `sensebind_msgs/msg/Embedding` per record, readable by ROS 2 tools.

Each stream has a topic of its own below `/sensebind/embedding/`, with prompts also one below
`/sensebind/zero_shot/`. The schemas lie in the file, so nothing has to be installed to read it.
The receive time of a message is its grid instant: messages that belong together stand together.
The run's metadata is the MCAP metadata record "sensebind".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from mcap.writer import CompressionType, Writer

from sensebind.errors import InputError
from sensebind.grid import NS_PER_S
from sensebind.sinks.atomic import AtomicFile
from sensebind.sinks.base import check_record
from sensebind.sinks.raw.cdr import LATEST_NS, can_express
from sensebind.storage import data_folder

if TYPE_CHECKING:
    from pathlib import Path

    from rosbags.typesys.store import Typestore

    from sensebind.records import Record, RunMetadata
    from sensebind.types import Embedding

EMBEDDING = "sensebind_msgs/msg/Embedding"
ZERO_SHOT = "sensebind_msgs/msg/ZeroShot"
METADATA_NAME = "sensebind"
_TOPIC = {EMBEDDING: "/sensebind/embedding/", ZERO_SHOT: "/sensebind/zero_shot/"}


class McapSink:
    """Writes zstd chunks; equal runs give equal bytes."""

    def __init__(self, path: Path, metadata: RunMetadata) -> None:
        """Begin the file.

        Raises:
            SinkError: if it cannot be written.
        """
        self._metadata = metadata
        self._channels: dict[tuple[str, str], int] = {}
        self._schemas: dict[str, int] = {}
        self._file = AtomicFile(path)
        with self._file.writing():
            self._writer = Writer(self._file.stream, compression=CompressionType.ZSTD)
            self._writer.start(profile="ros2", library=f"sensebind {metadata.version}")
            self._writer.add_metadata(METADATA_NAME, metadata.encode())

    def write(self, record: Record) -> None:
        """Write one message, or with prompts two; see `Sink.write`."""
        check_record(record, self._metadata)
        self._add(record.embedding, EMBEDDING, _embedding(record, self._metadata))
        if record.scores is not None:
            self._add(record.embedding, ZERO_SHOT, _zero_shot(record, self._metadata))

    def close(self) -> None:
        """Write the index and put the file under its name; see `Sink.close`."""
        with self._file.writing():
            self._writer.finish()  # type: ignore[no-untyped-call]
        self._file.commit()

    def abort(self) -> None:
        """Remove what was begun."""
        self._file.discard()

    def _add(self, embedding: Embedding, kind: str, message: bytes) -> None:
        with self._file.writing():
            self._writer.add_message(
                self._channel(embedding.stream, kind),
                log_time=embedding.grid_ns,
                publish_time=embedding.stamp_ns,
                data=message,
            )

    def _channel(self, stream: str, kind: str) -> int:
        if kind not in self._schemas:
            text, _ = _typestore().generate_msgdef(kind, ros_version=2)
            self._schemas[kind] = self._writer.register_schema(kind, "ros2msg", text.encode())
        if (stream, kind) not in self._channels:
            self._channels[stream, kind] = self._writer.register_channel(
                _TOPIC[kind] + topic_part(stream), "cdr", self._schemas[kind], {"stream": stream}
            )
        return self._channels[stream, kind]


def topic_part(stream: str) -> str:
    """A stream's name as the end of a ROS 2 topic: letters, digits and _, no part begins with one.

    Names that become equal share a topic; the messages carry the true one.
    """
    parts = re.sub(r"[^A-Za-z0-9_/]", "_", stream).strip("/").split("/")
    return "/".join(f"_{part}" if part[:1].isdigit() else part for part in parts if part) or "_"


@lru_cache(maxsize=1)
def _typestore() -> Typestore:
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    for kind in (EMBEDDING, ZERO_SHOT):
        text = (data_folder() / "msgs" / f"{kind.rpartition('/')[2]}.msg").read_text()
        store.register(get_types_from_msg(text, kind))
    return store


def _embedding(record: Record, metadata: RunMetadata) -> bytes:
    e = record.embedding
    return _serialized(
        EMBEDDING,
        header=_header(e),
        stream=e.stream,
        modality=e.modality.value,
        grid_ns=e.grid_ns,
        start_ns=e.start_ns,
        end_ns=e.end_ns,
        coverage=e.coverage,
        valid_fraction=e.valid_fraction,
        encoder_id=e.encoder_id,
        space_id=metadata.space_id,
        vector=e.vector,
        members=list(record.members),
    )


def _zero_shot(record: Record, metadata: RunMetadata) -> bytes:
    e = record.embedding
    assert record.scores is not None
    asked = metadata.prompt_sets.get(record.prompt_set, metadata.labels)
    scores = dict(zip(metadata.labels, record.scores, strict=True))
    return _serialized(
        ZERO_SHOT,
        header=_header(e),
        stream=e.stream,
        modality=e.modality.value,
        encoder_id=e.encoder_id,
        grid_ns=e.grid_ns,
        label=record.label,
        labels=list(asked),
        scores=np.array([scores[label] for label in asked], np.float32),
        prompt_set=record.prompt_set,
    )


def _header(embedding: Embedding) -> object:
    if not can_express(embedding.stamp_ns):
        raise InputError(
            f"stream {embedding.stream!r} has the stamp {embedding.stamp_ns} ns, which ROS cannot "
            f"express (0 to {LATEST_NS} ns); write .parquet or .jsonl"
        )
    types = _typestore().types
    sec, nanosec = divmod(embedding.stamp_ns, NS_PER_S)
    stamp = types["builtin_interfaces/msg/Time"](sec=sec, nanosec=nanosec)
    return types["std_msgs/msg/Header"](stamp=stamp, frame_id="")


def _serialized(kind: str, **fields: Any) -> bytes:  # noqa: ANN401  (fields of many types)
    store = _typestore()
    return bytes(store.serialize_cdr(store.types[kind](**fields), kind))
