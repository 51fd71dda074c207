# SPDX-License-Identifier: Apache-2.0
"""ROS 1 .bag files, chunk by chunk: compressed or not, complete or cut short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.errors import SourceError
from sensebind.sources.bags.containers import (
    EVERYTHING,
    LATEST_NS,
    Column,
    FirstChunks,
    Span,
    Stretch,
    Topic,
    by_topic,
    merged_topics,
)
from sensebind.sources.bags.ros1_index import (
    MAGIC,
    ChunkPlace,
    CutError,
    encryptor,
    messages_of,
    read_chunk,
    read_index,
)
from sensebind.sources.layout import open_checked
from sensebind.sources.messages.wire import DecodeError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from sensebind.sources.base import SourceReport


class Ros1File:
    """A ROS 1 bag of version 2.0; at most a few chunks are in memory at a time."""

    def __init__(self, path: Path, report: SourceReport) -> None:
        self.fraction = 0.0
        self._path = path
        self._report = report
        self._stream = open_checked(path, MAGIC, "a ROS 1 bag")
        self._size = path.stat().st_size
        self._first = FirstChunks()
        encrypted = encryptor(self._stream, self._size)
        if encrypted:
            self._stream.close()
            raise SourceError(
                f"{path}: a bag encrypted by {encrypted}, expected a plain one; decrypt it with: "
                f"rosbag decrypt {path.name}"
            )
        self._index = read_index(self._stream, self._size)
        if self._index.cut:
            self._note(
                "the bag has no index, it is truncated or was not closed; what can be read is "
                f"read; an index is made with: rosbag reindex {path.name}"
            )
        self.span = self._index.span
        counts = self._index.counts
        self.topics = merged_topics(
            [
                Topic(topic, kind, "ros1", counts.get(key, 0), definition, "ros1msg")
                for key, (topic, kind, definition) in self._index.connections.items()
            ]
        )

    def stretches(self, topics: Collection[str], span: Span = EVERYTHING) -> Iterator[Stretch]:
        """Yield the messages of some topics, chunk by chunk in order of their first message."""
        wanted = {
            key: connection.topic
            for key, connection in self._index.connections.items()
            if connection.topic in topics
        }
        chunks = [
            chunk
            for chunk in sorted(self._index.chunks, key=lambda c: (c.start_ns, c.position))
            if not chunk.connections.isdisjoint(wanted) and span.meets(chunk.start_ns, chunk.end_ns)
        ]
        starts_ns = [*(chunk.start_ns for chunk in chunks), LATEST_NS]
        for number, chunk in enumerate(chunks, 1):
            columns = self._columns(chunk, wanted)
            self.fraction = number / len(chunks)
            yield Stretch(columns, starts_ns[number])

    def close(self) -> None:
        """Release the file."""
        self._stream.close()

    def _columns(self, chunk: ChunkPlace, wanted: dict[int, str]) -> dict[str, Column]:
        """The messages of a chunk; up to the damage, if it is damaged."""
        lists = {key: Column([], []) for key in wanted}
        chunk_bytes = 0
        try:
            payload = self._first.get(
                chunk.position, lambda: read_chunk(self._stream, chunk.position, self._size)
            )
            chunk_bytes = len(payload)
            messages_of(payload, lists)
        except (CutError, DecodeError) as error:
            cause = str(error) or "damaged index"
            if not self._index.cut:
                self._note(f"the chunk at byte {chunk.position} is skipped: {cause}")
        return by_topic(lists, wanted, chunk_bytes)

    def _note(self, sentence: str) -> None:
        self._report.note(f"{self._path.name}: {sentence}")
