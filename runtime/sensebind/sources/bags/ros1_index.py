# SPDX-License-Identifier: Apache-2.0
"""Finding the connections and chunks of a ROS 1 bag, from its index or by walking through it.

Record layouts are those of the bag format 2.0, http://wiki.ros.org/Bags/Format/2.0. The rosbags
library reads whole bags only, holds an object for every message of the bag and unpacks what a
chunk claims to be; this walk reads what comes before a cut, chunk by chunk, within limits.
"""

from __future__ import annotations

import bz2
from dataclasses import dataclass, field
from struct import Struct, error
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from sensebind.grid import NS_PER_S
from sensebind.sources.bags.containers import Span, joined_span
from sensebind.sources.messages.senses import full_type_name
from sensebind.sources.messages.wire import DecodeError, unpacked_lz4

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensebind.sources.bags.containers import Column

MAGIC = b"#ROSBAG V2.0\n"
MESSAGE, BAG_HEADER, INDEX, CHUNK, CHUNK_INFO, CONNECTION = 2, 3, 4, 5, 6, 7

_UINT32 = Struct("<I")
_UINT64 = Struct("<Q")
_PAIR = Struct("<II")
_LARGEST_HEADER_BYTES = 1 << 20
_LARGEST_CHUNK_BYTES = 1 << 28
_COPIED_BYTES = 4096
_NO_ENCRYPTOR = "rosbag/NoEncryptor"

# A message's header has three fields; these are the orders in which the recorders write them:
# each field is its length, its name and its value.
_CONN, _OP, _TIME = "I5sI", "I3sB", "I5sII"
_MESSAGE_HEADS = (
    (Struct(f"<I{_CONN}{_OP}{_TIME}I"), (3, 6), ((2, b"conn="), (5, b"op="), (8, b"time="))),
    (Struct(f"<I{_OP}{_CONN}{_TIME}I"), (6, 3), ((2, b"op="), (5, b"conn="), (8, b"time="))),
)


class CutError(Exception):
    """The file ends inside a record, or what is there is no record."""


class Record(NamedTuple):
    """A record's header fields and where its data is."""

    fields: dict[bytes, bytes]
    position: int
    length: int

    @property
    def op(self) -> int:
        """What kind of record it is; -1 if it does not say."""
        value = self.fields.get(b"op")
        return value[0] if value else -1


class Connection(NamedTuple):
    """A connection: a topic with its type and its definition."""

    topic: str
    message_type: str
    definition: bytes


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """Where a chunk is and what it holds; no connections means unknown.

    Attributes:
        start_ns: receive time of its first message.
        end_ns: and of its last.
        position: where its record begins.
        connections: ids of the connections of its messages.
    """

    start_ns: int
    end_ns: int
    position: int
    connections: frozenset[int]


@dataclass(slots=True)
class Ros1Index:
    """What is in the file.

    Attributes:
        connections: by id.
        counts: messages per connection id.
        chunks: the chunks.
        span: receive times of the first message and just after the last; None without messages.
        cut: whether the index is missing or what it says cannot be.
    """

    connections: dict[int, Connection] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    chunks: list[ChunkPlace] = field(default_factory=list)
    span: Span | None = None
    cut: bool = False

    def add_connection(self, record_fields: dict[bytes, bytes], data: bytes) -> None:
        """Take in a connection record."""
        inner = header_fields(data)
        key = uint32(record_fields, b"conn")
        topic = inner.get(b"topic", record_fields.get(b"topic", b""))
        self.connections[key] = Connection(
            record_fields.get(b"topic", topic).decode("utf-8", "replace"),
            full_type_name(inner.get(b"type", b"").decode("utf-8", "replace")),
            inner.get(b"message_definition", b""),
        )

    def add_chunk(self, place: ChunkPlace, counts: dict[int, int]) -> None:
        """Take in a chunk and the number of its messages per connection."""
        self.chunks.append(place)
        for key, count in counts.items():
            self.counts[key] = self.counts.get(key, 0) + count
        if counts:
            self.span = joined_span([self.span, Span(place.start_ns, place.end_ns + 1)])


def encryptor(stream: BinaryIO, size: int) -> str:
    """The name of what a bag is encrypted with, "" if it is not; its header says so."""
    try:
        fields = read_record(stream, len(MAGIC), size).fields
    except (CutError, DecodeError):
        return ""
    name = fields.get(b"encryptor", b"").decode("utf-8", "replace")
    return "" if name == _NO_ENCRYPTOR else name


def read_index(stream: BinaryIO, size: int) -> Ros1Index:
    """Index a bag of `size` bytes from its index section, else by walking through it."""
    try:
        return _from_index(stream, size)
    except (CutError, DecodeError):
        return _from_walk(stream, size)


def header_fields(header: bytes) -> dict[bytes, bytes]:
    """The fields of a record's header by name.

    Raises:
        DecodeError: if it is malformed.
    """
    fields: dict[bytes, bytes] = {}
    position, end = 0, len(header)
    while position < end:
        if position + _UINT32.size > end:
            raise DecodeError("damaged header")
        (length,) = _UINT32.unpack_from(header, position)
        position += _UINT32.size + length
        if position > end:
            raise DecodeError("damaged header")
        name, equals, value = header[position - length : position].partition(b"=")
        if not equals:
            raise DecodeError("damaged header")
        fields[name] = value
    return fields


def uint32(fields: dict[bytes, bytes], name: bytes) -> int:
    """A header field of four bytes.

    Raises:
        DecodeError: if it is missing or of another length.
    """
    value = fields.get(name, b"")
    if len(value) != _UINT32.size:
        raise DecodeError("damaged header")
    return int.from_bytes(value, "little")


def read_record(stream: BinaryIO, position: int, size: int) -> Record:
    """Read a record's header.

    Raises:
        CutError: if the file ends within the header or it is none.
        DecodeError: if its fields are malformed.
    """
    stream.seek(position)
    (header_length,) = _unpacked(_UINT32, stream.read(_UINT32.size))
    if header_length > min(_LARGEST_HEADER_BYTES, size - position):
        raise CutError
    header = stream.read(header_length)
    (length,) = _unpacked(_UINT32, stream.read(_UINT32.size))
    begin = position + 2 * _UINT32.size + header_length
    return Record(header_fields(header), begin, length)


def read_chunk(stream: BinaryIO, position: int, size: int) -> bytes:
    """The records inside the chunk at a place; of an uncompressed one that is cut, those there are.

    Raises:
        CutError: if the file ends within its header.
        DecodeError: if it is no chunk, compressed and damaged, or compressed in an unknown way.
    """
    record = read_record(stream, position, size)
    if record.op != CHUNK:
        raise DecodeError("damaged index")
    data = stream.read(max(0, min(record.length, size - record.position)))
    compression = record.fields.get(b"compression", b"")
    if compression == b"none":
        return data
    limit = uint32(record.fields, b"size")
    if limit > _LARGEST_CHUNK_BYTES or len(data) < record.length:
        raise DecodeError("damaged chunk")
    if compression == b"lz4":
        unpacked = unpacked_lz4(data, limit)
    elif compression == b"bz2":
        unpacked = _unpacked_bz2(data, limit)
    else:
        raise DecodeError(f"unknown chunk compression {compression.decode('utf-8', 'replace')!r}")
    if len(unpacked) != limit:
        raise DecodeError("damaged compression")
    return unpacked


def chunk_records(payload: bytes) -> Iterator[tuple[dict[bytes, bytes], int, int]]:
    """Yield header fields, data start and data end of each record inside a chunk.

    Raises:
        DecodeError: if one is malformed or does not fit.
    """
    position, size = 0, len(payload)
    while position < size:
        fields, begin, position = _record_at(payload, position)
        yield fields, begin, position


def messages_of(payload: bytes, lists: dict[int, Column]) -> None:
    """Append a chunk's messages of some connections to their lists.

    Small messages are copied, so they do not keep the chunk in memory while they wait for their
    turn; large ones are views.

    Raises:
        DecodeError: if a record does not fit; what comes before it is appended.
    """
    view = memoryview(payload)
    position, size = 0, len(payload)
    while position < size:
        found = _message_at(payload, position)
        if found is None:
            fields, begin, position = _record_at(payload, position)
            if fields.get(b"op") != bytes([MESSAGE]):
                continue
            key, log_ns = uint32(fields, b"conn"), _time_ns(fields, b"time")
        else:
            key, log_ns, begin, position = found
        if position > size:
            raise DecodeError("damaged chunk")
        column = lists.get(key)
        if column is not None:
            column.logs_ns.append(log_ns)
            small = position - begin < _COPIED_BYTES
            column.data.append(payload[begin:position] if small else view[begin:position])


def _message_at(payload: bytes, position: int) -> tuple[int, int, int, int] | None:
    """Connection, receive time, data start and data end of a message as recorders write it."""
    for head, (key, op), names in _MESSAGE_HEADS:
        try:
            values = head.unpack_from(payload, position)
        except error:
            return None
        if values[op] == MESSAGE and all(values[place] == name for place, name in names):
            begin = position + head.size
            log_ns = values[-3] * NS_PER_S + values[-2]
            return values[key], log_ns, begin, begin + values[-1]
    return None


def _record_at(payload: bytes, position: int) -> tuple[dict[bytes, bytes], int, int]:
    size = len(payload)
    if position + _UINT32.size > size:
        raise DecodeError("damaged chunk")
    begin = position + _UINT32.size
    end = begin + int(_UINT32.unpack_from(payload, position)[0])
    if end + _UINT32.size > size:
        raise DecodeError("damaged chunk")
    fields = header_fields(payload[begin:end])
    data = end + _UINT32.size
    last = data + int(_UINT32.unpack_from(payload, end)[0])
    if last > size:
        raise DecodeError("damaged chunk")
    return fields, data, last


def _from_index(stream: BinaryIO, size: int) -> Ros1Index:
    """The index the bag carries."""
    head = read_record(stream, len(MAGIC), size)
    position = _value(head.fields, b"index_pos", _UINT64)
    chunk_count, connection_count = (
        uint32(head.fields, name) for name in (b"chunk_count", b"conn_count")
    )
    if head.op != BAG_HEADER or not len(MAGIC) < position <= size:
        raise CutError
    index = Ros1Index()
    while position < size:
        record = read_record(stream, position, size)
        position = record.position + record.length
        if position > size:
            raise CutError
        data = stream.read(record.length)
        if record.op == CONNECTION:
            index.add_connection(record.fields, data)
        elif record.op == CHUNK_INFO:
            index.add_chunk(*_chunk_info(record.fields, data))
    if (len(index.chunks), len(index.connections)) != (chunk_count, connection_count):
        raise CutError
    if any(not len(MAGIC) < chunk.position < size for chunk in index.chunks):
        raise CutError
    return index


def _chunk_info(fields: dict[bytes, bytes], data: bytes) -> tuple[ChunkPlace, dict[int, int]]:
    if len(data) % _PAIR.size:
        raise DecodeError("damaged index")
    counts = dict(_PAIR.iter_unpack(data))
    position = _value(fields, b"chunk_pos", _UINT64)
    start_ns, end_ns = _time_ns(fields, b"start_time"), _time_ns(fields, b"end_time")
    return ChunkPlace(start_ns, end_ns, position, frozenset(counts)), counts


def _from_walk(stream: BinaryIO, size: int) -> Ros1Index:
    """Index a bag record by record, up to where it is cut."""
    index = Ros1Index(cut=True)
    position = len(MAGIC)
    while position < size:
        try:
            record = read_record(stream, position, size)
        except (CutError, DecodeError):
            break
        if record.op == CHUNK:
            _walk_chunk(index, stream, position, size)
        position = record.position + record.length
    return index


def _walk_chunk(index: Ros1Index, stream: BinaryIO, position: int, size: int) -> None:
    logs_ns: list[int] = []
    counts: dict[int, int] = {}
    try:
        payload = read_chunk(stream, position, size)
        for fields, begin, end in chunk_records(payload):
            if fields.get(b"op") == bytes([CONNECTION]):
                index.add_connection(fields, payload[begin:end])
            elif fields.get(b"op") == bytes([MESSAGE]):
                key = uint32(fields, b"conn")
                logs_ns.append(_time_ns(fields, b"time"))
                counts[key] = counts.get(key, 0) + 1
    except (CutError, DecodeError):
        pass  # reading the messages meets the same fault and reports it
    if logs_ns:
        place = ChunkPlace(min(logs_ns), max(logs_ns), position, frozenset(counts))
        index.add_chunk(place, counts)


def _time_ns(fields: dict[bytes, bytes], name: bytes) -> int:
    packed = _value(fields, name, _UINT64)
    return (packed & 0xFFFFFFFF) * NS_PER_S + (packed >> 32)


def _value(fields: dict[bytes, bytes], name: bytes, layout: Struct) -> int:
    value = fields.get(name, b"")
    if len(value) != layout.size:
        raise DecodeError("damaged header")
    return int.from_bytes(value, "little")


def _unpacked(layout: Struct, data: bytes) -> tuple[int, ...]:
    if len(data) < layout.size:
        raise CutError
    return layout.unpack(data)


def _unpacked_bz2(packed: bytes, limit: int) -> bytes:
    try:
        return bz2.BZ2Decompressor().decompress(packed, max_length=limit)
    except (OSError, EOFError):
        raise DecodeError("damaged compression") from None
