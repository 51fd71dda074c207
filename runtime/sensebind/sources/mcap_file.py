# SPDX-License-Identifier: Apache-2.0
"""MCAP files, chunk by chunk: indexed or not, compressed or not, complete or cut short."""

from __future__ import annotations

from bisect import bisect_left
from operator import itemgetter
from typing import TYPE_CHECKING

from sensebind.errors import SourceError
from sensebind.sources import ordering
from sensebind.sources.containers import RawMessage, Topic, merged_topics
from sensebind.sources.layout import check_content
from sensebind.sources.mcap_index import (
    CHUNK,
    MAGIC,
    MESSAGE,
    MESSAGE_HEADER_BYTES,
    CutError,
    Record,
    chunk_records,
    message_head,
    read_body,
    read_index,
    records,
    unpacked_chunk,
)
from sensebind.sources.wire import DecodeError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from sensebind.sources.base import SourceReport

_LATEST_NS = 2**63 - 1

Placed = tuple[int, int, int, RawMessage]
"""Receive time, place of the chunk, place in the chunk: the order of equal receive times."""


class McapFile:
    """One MCAP file, opened for reading; at most a few chunks are in memory at a time."""

    def __init__(self, path: Path, report: SourceReport) -> None:
        self.fraction = 0.0
        self._path = path
        self._report = report
        self._stream = path.open("rb")
        self._size = path.stat().st_size
        head = self._stream.read(len(MAGIC))
        if head != MAGIC:
            self._stream.close()
            check_content(path, head)
            raise SourceError(f"{path}: not an MCAP file, it begins with {head!r}")
        self._index = read_index(self._stream, self._size)
        if self._index.cut:
            self._note("the file is truncated; what comes before the cut is read")
        counts = self._index.counts
        self.topics = merged_topics(
            [
                Topic(topic, schema.name, wire, counts.get(key, 0), *schema[1:])
                for key, (topic, wire, schema) in self._index.channels.items()
            ]
        )

    def messages(self, topics: Collection[str]) -> Iterator[RawMessage]:
        """Yield the messages of some topics in receive-time order, streaming."""
        wanted = {
            key: channel.topic
            for key, channel in self._index.channels.items()
            if channel.topic in topics
        }
        if self._index.chunks is None:
            return ordering.nearly_sorted(self._walked(wanted))
        return self._merged(wanted)

    def close(self) -> None:
        """Release the file."""
        self._stream.close()

    def _merged(self, wanted: dict[int, str]) -> Iterator[RawMessage]:
        """Merge the chunks by receive time, each read when the time has come to its start."""
        chunks = [
            chunk
            for chunk in sorted(self._index.chunks or (), key=lambda c: (c.start_ns, c.position))
            if not chunk.channels or not chunk.channels.isdisjoint(wanted)
        ]
        pending: list[Placed] = []
        for number, chunk in enumerate(chunks):
            ready = _ready(pending, chunk.start_ns)
            yield from (placed[3] for placed in pending[:ready])
            del pending[:ready]
            record = Record(CHUNK, chunk.position, chunk.length)
            pending.extend(self._chunk_messages(record, wanted))
            pending.sort(key=itemgetter(0, 1, 2))
            self.fraction = (number + 1) / len(chunks)
        yield from (placed[3] for placed in pending)

    def _walked(self, wanted: dict[int, str]) -> Iterator[RawMessage]:
        """Yield messages in file order, from chunks and from between them."""
        try:
            for record in records(self._stream, len(MAGIC), self._index.end):
                self.fraction = record.position / self._size
                if record.opcode == CHUNK:
                    yield from (placed[3] for placed in self._chunk_messages(record, wanted))
                elif record.opcode == MESSAGE:
                    body = read_body(self._stream, record)
                    message = self._message(memoryview(body), 0, len(body), wanted)
                    if message is not None:
                        yield message
        except CutError:
            return  # noted when the file was opened

    def _chunk_messages(self, record: Record, wanted: dict[int, str]) -> Iterator[Placed]:
        try:
            payload = memoryview(unpacked_chunk(read_body(self._stream, record)))
            for opcode, body, end in chunk_records(payload):
                if opcode == MESSAGE:
                    message = self._message(payload, body, end, wanted)
                    if message is not None:
                        yield message.log_ns, record.position, body, message
        except DecodeError as error:
            self._note(f"the chunk at byte {record.position} is skipped: {error}")

    def _message(
        self, payload: memoryview, body: int, end: int, wanted: dict[int, str]
    ) -> RawMessage | None:
        channel, log_ns = message_head(payload, body, end)
        topic = wanted.get(channel)
        if topic is None:
            return None
        if log_ns > _LATEST_NS:
            self._report.skip(topic, "receive time out of range")
            return None
        return RawMessage(topic, log_ns, payload[body + MESSAGE_HEADER_BYTES : end])

    def _note(self, sentence: str) -> None:
        self._report.note(f"{self._path.name}: {sentence}")


def _ready(pending: list[Placed], start_ns: int) -> int:
    """How many sorted messages come before a chunk that starts at `start_ns`.

    All of them when they are too many to hold: every chunk may claim to start at time 0.
    """
    if sum(len(placed[3].data) for placed in pending) > ordering.HELD_BYTES:
        return len(pending)
    return bisect_left(pending, start_ns, key=itemgetter(0))
