# SPDX-License-Identifier: Apache-2.0
"""Finding the channels and chunks of an MCAP file, from its summary or by walking through it.

Record layouts are those of the MCAP specification, https://mcap.dev/spec. The walk reads the
metadata of files without a summary (a recorder that crashed) or with an incomplete one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from sensebind.sources.bags.containers import LATEST_NS, Span, joined_span
from sensebind.sources.messages.wire import Cursor, DecodeError, unpacked_lz4, unpacked_zstd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensebind.sources.bags.containers import Column

MAGIC = b"\x89MCAP0\r\n"
MESSAGE_HEADER_BYTES = 22
FOOTER_BYTES = 29  # the record's frame and three fields; the magic follows it
FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK = 2, 3, 4, 5, 6
CHUNK_INDEX, STATISTICS, DATA_END = 8, 11, 15

_FRAME = Struct("<BQ")
RECORD_FRAME_BYTES = _FRAME.size
_MESSAGE_CHANNEL_AND_TIME = Struct("<H4xQ")
MESSAGE_RECORD = Struct("<BQH4xQ")  # frame, channel, sequence number left out, receive time
_LARGEST_CHUNK_BYTES = 1 << 28
_COPIED_BYTES = 4096
_UINT64_BYTES = 8


class CutError(Exception):
    """The file ends inside a record."""


class Record(NamedTuple):
    """A record's kind and where its body is in the file."""

    opcode: int
    position: int
    length: int


class Schema(NamedTuple):
    """A message type: its name and its definition in some format."""

    name: str = ""
    definition: bytes = b""
    definition_format: str = ""


class Channel(NamedTuple):
    """A channel: a topic with its serialization format, its type and what else is told of it."""

    topic: str
    wire: str
    schema: Schema
    metadata: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """Where a chunk record's body is and what it holds; no channels means unknown."""

    start_ns: int
    end_ns: int
    position: int
    length: int
    channels: frozenset[int]


@dataclass(slots=True)
class McapIndex:
    """What is in the file.

    Attributes:
        channels: by channel id.
        counts: messages per channel id.
        chunks: the chunks; None if messages also lie outside of chunks.
        end: where the data section ends.
        cut: whether the file ends inside a record or without its closing records.
        span: receive times of the first message and just after the last; None without messages.
    """

    channels: dict[int, Channel] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    chunks: list[ChunkPlace] | None = field(default_factory=list)
    end: int = 0
    cut: bool = False
    span: Span | None = None
    schemas: dict[int, Schema] = field(default_factory=dict)

    def add_schema(self, body: Cursor) -> None:
        """Take in a Schema record."""
        key, name, layout = body.uint16(), body.text(), body.text()
        self.schemas[key] = Schema(name, bytes(body.octets()), layout)

    def add_channel(self, body: Cursor) -> None:
        """Take in a Channel record."""
        key, schema, topic, wire = body.uint16(), body.uint16(), body.text(), body.text()
        known = self.schemas.get(schema, Schema())
        self.channels[key] = Channel(topic, wire, known, body.text_map())


def read_index(stream: BinaryIO, size: int) -> McapIndex:
    """Index a file of `size` bytes from its summary, else by walking through it."""
    try:
        index = _from_summary(stream, size)
    except (CutError, DecodeError):
        index = None
    return index or _from_walk(stream, size)


def records(stream: BinaryIO, position: int, end: int) -> Iterator[Record]:
    """Yield the records between two offsets.

    Raises:
        CutError: if the last one does not end at or before `end`.
    """
    while position < end:
        stream.seek(position)
        head = stream.read(_FRAME.size)
        if len(head) < _FRAME.size:
            raise CutError
        opcode, length = _FRAME.unpack(head)
        body = position + _FRAME.size
        position = body + length
        if position > end:
            raise CutError
        yield Record(opcode, body, length)


def read_body(stream: BinaryIO, record: Record) -> bytes:
    """The body of a record found by `records`."""
    stream.seek(record.position)
    return stream.read(record.length)


class ChunkHead(NamedTuple):
    """What a Chunk record says of its records: their size and how they are compressed."""

    size: int
    compression: str


def chunk_head(cursor: Cursor, length: int) -> ChunkHead:
    """Read a Chunk record, `length` bytes long, up to where its records begin.

    Raises:
        DecodeError: if it is damaged or too large.
    """
    cursor.uint64()  # start time
    cursor.uint64()  # end time
    size = cursor.uint64()
    cursor.uint32()  # checksum; damaged messages are found when they are decoded
    compression = cursor.text()
    if cursor.uint64() != length - cursor.position or size > _LARGEST_CHUNK_BYTES:
        raise DecodeError("damaged chunk")
    return ChunkHead(size, compression)


def unpacked_chunk(body: bytes) -> tuple[bytes, int]:
    """A buffer with the records inside a Chunk record, and where in it they begin.

    Raises:
        DecodeError: if it is damaged, too large or compressed in an unknown way.
    """
    cursor = Cursor(body, "ros1")
    size, compression = chunk_head(cursor, len(body))
    packed = cursor.body[cursor.position :]
    if compression == "":
        return body, cursor.position
    if compression == "zstd":
        return unpacked_zstd(packed, size), 0
    if compression == "lz4":
        return unpacked_lz4(packed, size), 0
    raise DecodeError(f"unknown chunk compression {compression!r}")


def chunk_records(payload: bytes, begin: int) -> Iterator[tuple[int, int, int]]:
    """Yield kind, body start and body end of each record inside a chunk.

    Raises:
        DecodeError: if the last one does not fit.
    """
    position, end = begin, len(payload)
    while position < end:
        body = position + _FRAME.size
        if body > end:
            raise DecodeError("damaged chunk")
        opcode, length = _FRAME.unpack_from(payload, position)
        position = body + length
        if position > end:
            raise DecodeError("damaged chunk")
        yield opcode, body, position


def messages_of(payload: bytes, begin: int, lists: dict[int, Column]) -> None:
    """Append a chunk's messages of some channels to their lists.

    Small messages are copied, so they do not keep the chunk in memory while they wait for their
    turn; large ones are views.

    Raises:
        DecodeError: if a record does not fit; what comes before it is appended.
    """
    position = take_messages(payload, begin, lists, _COPIED_BYTES)
    for opcode, _, _ in chunk_records(payload, position):
        if opcode == MESSAGE:
            raise DecodeError("damaged chunk")


def take_messages(payload: bytes, begin: int, lists: dict[int, Column], copied_bytes: int) -> int:
    """Append messages of some channels up to a record that is not whole; returns where it begins.

    Messages whose records have fewer than `copied_bytes` bytes are copied, the others are views.

    Raises:
        DecodeError: if a message is too short to be one.
    """
    view = memoryview(payload)
    appends = {key: (lists[key].logs_ns.append, lists[key].data.append) for key in lists}
    unpack, size = MESSAGE_RECORD.unpack_from, MESSAGE_RECORD.size
    position, end = begin, len(payload)
    while position + size <= end:
        opcode, length, channel, log_ns = unpack(payload, position)
        body = position + RECORD_FRAME_BYTES
        following = body + length
        if following > end:
            break
        if opcode == MESSAGE:
            if length < MESSAGE_HEADER_BYTES:
                raise DecodeError("damaged chunk")
            if channel in appends:
                add_log, add_data = appends[channel]
                add_log(log_ns)
                data = body + MESSAGE_HEADER_BYTES
                add_data(payload[data:following] if length < copied_bytes else view[data:following])
        position = following
    return position


def message_head(payload: bytes | memoryview, body: int, end: int) -> tuple[int, int]:
    """Channel id and receive time in ns of a Message record.

    Raises:
        DecodeError: if it is too short to be one.
    """
    if end - body < MESSAGE_HEADER_BYTES:
        raise DecodeError("damaged message record")
    channel, log_ns = _MESSAGE_CHANNEL_AND_TIME.unpack_from(payload, body)
    return channel, log_ns


def _from_summary(stream: BinaryIO, size: int) -> McapIndex | None:
    """The index the file carries, or None if it has none or it leaves something out."""
    footer_start = size - FOOTER_BYTES - len(MAGIC)
    if footer_start < len(MAGIC):
        return None
    stream.seek(size - len(MAGIC))
    if stream.read() != MAGIC:
        return None
    footer = next(records(stream, footer_start, size - len(MAGIC)))
    summary_start = Cursor(read_body(stream, footer), "ros1").uint64()
    if footer.opcode != FOOTER or not 0 < summary_start < footer_start:
        return None
    index = McapIndex(end=summary_start)
    promised = None
    for record in records(stream, summary_start, footer_start):
        body = Cursor(read_body(stream, record), "ros1")
        if record.opcode == SCHEMA:
            index.add_schema(body)
        elif record.opcode == CHANNEL:
            index.add_channel(body)
        elif record.opcode == CHUNK_INDEX:
            assert index.chunks is not None
            index.chunks.append(_chunk_place(body))
        elif record.opcode == STATISTICS:
            promised = _add_statistics(index, body)
    return index if promised == _found(index) else None


def _add_statistics(index: McapIndex, body: Cursor) -> tuple[int, int, int]:
    """Take in a Statistics record: counts per channel; what the index should contain."""
    messages = body.uint64()
    body.uint16()  # schemas
    channels = body.uint32()
    body.uint64()  # attachments and metadata records
    chunks = body.uint32()
    first_ns, last_ns = body.uint64(), body.uint64()
    if messages and first_ns <= last_ns <= LATEST_NS:
        index.span = Span(first_ns, last_ns + 1)
    end = body.uint32() + body.position
    while body.position < end:
        key = body.uint16()
        index.counts[key] = body.uint64()
    return messages, channels, chunks


def _found(index: McapIndex) -> tuple[int, int, int]:
    """What an index contains, to be held against its statistics."""
    assert index.chunks is not None
    known = index.channels.keys()
    complete = (
        index.counts.keys() <= known
        and all(chunk.channels <= known and _fits(chunk, index.end) for chunk in index.chunks)
        and (index.chunks or not index.counts)
    )
    messages = sum(index.counts.values()) if complete else -1
    return messages, len(known), len(index.chunks)


def _fits(chunk: ChunkPlace, end: int) -> bool:
    return chunk.position >= len(MAGIC) and 0 <= chunk.length <= end - chunk.position


def _chunk_place(body: Cursor) -> ChunkPlace:
    """A ChunkIndex record; the chunk's body lies behind its frame."""
    start_ns, end_ns = body.uint64(), body.uint64()
    position, length = body.uint64() + _FRAME.size, body.uint64() - _FRAME.size
    end = body.uint32() + body.position
    channels = set()
    while body.position < end:
        channels.add(body.uint16())
        body.uint64()  # offset of the channel's message index
    return ChunkPlace(start_ns, end_ns, position, length, frozenset(channels))


def _from_walk(stream: BinaryIO, size: int) -> McapIndex:
    """Index a file record by record, up to where it is cut."""
    index = McapIndex(end=size)
    closed = False
    try:
        for record in records(stream, len(MAGIC), size):
            if record.opcode in (FOOTER, DATA_END):
                closed = True
                index.end = record.position - _FRAME.size
                break
            _add_record(index, stream, record)
    except CutError:
        pass
    index.cut = not closed
    return index


def _add_record(index: McapIndex, stream: BinaryIO, record: Record) -> None:
    if record.opcode == MESSAGE:
        index.chunks = None
        stream.seek(record.position)
        head = stream.read(min(record.length, MESSAGE_HEADER_BYTES))
        _count(index, head, 0, len(head))
    elif record.opcode in (SCHEMA, CHANNEL):
        _add_declaration(index, record.opcode, memoryview(read_body(stream, record)))
    elif record.opcode == CHUNK:
        _add_chunk(index, read_body(stream, record), record)


def _add_chunk(index: McapIndex, body: bytes, record: Record) -> None:
    before = dict(index.counts)
    try:
        payload, begin = unpacked_chunk(body)
        for opcode, start, end in chunk_records(payload, begin):
            if opcode == MESSAGE:
                _count(index, payload, start, end)
            elif opcode in (SCHEMA, CHANNEL):
                _add_declaration(index, opcode, memoryview(payload)[start:end])
    except DecodeError:
        pass  # reading the messages meets the same fault and reports it
    if index.chunks is not None and len(body) >= 2 * _UINT64_BYTES:
        channels = {key for key, count in index.counts.items() if count != before.get(key, 0)}
        head = Cursor(body, "ros1")
        start_ns, end_ns = head.uint64(), head.uint64()
        place = ChunkPlace(start_ns, end_ns, record.position, record.length, frozenset(channels))
        index.chunks.append(place)


def _add_declaration(index: McapIndex, opcode: int, body: memoryview) -> None:
    try:
        if opcode == SCHEMA:
            index.add_schema(Cursor(body, "ros1"))
        else:
            index.add_channel(Cursor(body, "ros1"))
    except DecodeError:
        return  # messages of a channel that was not understood are skipped


def _count(index: McapIndex, payload: bytes | memoryview, body: int, end: int) -> None:
    try:
        channel, log_ns = message_head(payload, body, end)
    except DecodeError:
        return
    index.counts[channel] = index.counts.get(channel, 0) + 1
    if log_ns < LATEST_NS:
        index.span = joined_span([index.span, Span(log_ns, log_ns + 1)])
