# SPDX-License-Identifier: Apache-2.0
"""Writing MCAP so that a full disk costs what does not fit and nothing that is written already.

The library's writer cannot be used here: it counts a chunk as written before it is, so a chunk that
failed damages the index at the end. Record layouts: https://mcap.dev/spec. Checksums are left out
(zlib's CRC-32 takes three times as long as writing the chunk), as rosbag2's "fastwrite" does.
"""

from __future__ import annotations

from struct import Struct, pack, unpack_from
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from sensebind.sinks.raw.steady_file import SteadyFile

MAGIC = b"\x89MCAP0\r\n"
HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK = 1, 2, 3, 4, 5, 6
MESSAGE_INDEX, CHUNK_INDEX, STATISTICS = 7, 8, 11
METADATA, METADATA_INDEX, SUMMARY_OFFSET, DATA_END = 12, 13, 14, 15

FRAME = Struct("<BQ")
MESSAGE_HEAD = Struct("<BQHIQQ")
MESSAGE_HEAD_BYTES = MESSAGE_HEAD.size
MESSAGE_FIELDS = [
    ("opcode", "u1"),
    ("length", "<u8"),
    ("channel", "<u2"),
    ("sequence", "<u4"),
    ("log_ns", "<u8"),
    ("publish_ns", "<u8"),
]
"""Fields of a Message record before its data, for a NumPy record type."""

MOST_CHANNELS = 1 << 16
_INDEX_ENTRY = Struct("<QQ")  # receive time, place
_UINT64 = 1 << 64


class Record(NamedTuple):
    """A record in the file: its kind, where it begins and how long it is, its frame included."""

    opcode: int
    position: int
    length: int


class ChunkPlace(NamedTuple):
    """What a ChunkIndex record says of a chunk; `indexes` are places of its MessageIndex records.

    Attributes:
        counts: messages per channel.
    """

    start_ns: int
    end_ns: int
    position: int
    length: int
    indexes: dict[int, int]
    index_length: int
    compression: str
    packed: int
    size: int
    counts: dict[int, int]


class Chunk:
    """Messages that are gathered until they are written together.

    Attributes:
        octets: their records.
        start_ns: receive time of the earliest.
        end_ns: receive time of the latest.
    """

    def __init__(self, octets: bytes = b"") -> None:
        """Begin with some records, which `index` must be told of."""
        self.octets = bytearray(octets)
        self.start_ns = _UINT64 - 1
        self.end_ns = 0
        self._entries: dict[int, bytearray] = {}

    def add(
        self,
        channel: int,
        sequence: int,
        log_ns: int,
        publish_ns: int,
        parts: Iterable[bytes | memoryview],
    ) -> None:
        """Add one message, its data in parts."""
        begin = len(self.octets)
        self.octets += bytes(MESSAGE_HEAD_BYTES)
        for part in parts:
            self.octets += part
        length = len(self.octets) - begin - FRAME.size
        numbers = sequence & 0xFFFFFFFF, log_ns % _UINT64, publish_ns % _UINT64
        MESSAGE_HEAD.pack_into(self.octets, begin, MESSAGE, length, channel, *numbers)
        self.index(channel, log_ns % _UINT64, begin)

    def add_records(self, channel: int, log_ns: int, records: NDArray[np.void]) -> None:
        """Add messages of equal length and receive time: records that begin with MESSAGE_FIELDS."""
        begin = len(self.octets)
        self.octets += records.tobytes()
        for place in range(begin, len(self.octets), records.itemsize):
            self.index(channel, log_ns, place)

    def index(self, channel: int, log_ns: int, place: int) -> None:
        """Note where among the records a message begins."""
        entries = self._entries.get(channel)
        if entries is None:
            entries = self._entries[channel] = bytearray()
        entries += _INDEX_ENTRY.pack(log_ns, place)
        self.start_ns = min(self.start_ns, log_ns)
        self.end_ns = max(self.end_ns, log_ns)

    def counts(self) -> dict[int, int]:
        """Messages per channel."""
        return {channel: len(each) // _INDEX_ENTRY.size for channel, each in self._entries.items()}

    def message_indexes(self) -> dict[int, bytes]:
        """The MessageIndex record of each channel."""
        return {
            channel: record(MESSAGE_INDEX, pack("<HI", channel, len(entries)), bytes(entries))
            for channel, entries in self._entries.items()
        }


class McapStream:
    """An MCAP file that grows chunk by chunk; what is written is readable at once.

    Attributes:
        chunks: what has been written.
    """

    def __init__(self, file: SteadyFile, *, compress: bool) -> None:
        """Write to the end of `file`; chunks are packed with zstd if asked for."""
        self.chunks: list[ChunkPlace] = []
        self._file = file
        self._compress = compress
        self._declared: dict[int, list[bytes]] = {SCHEMA: [], CHANNEL: []}
        self._metadata: list[bytes] = []

    def begin(self, library: str) -> None:
        """Write the file's first record.

        Raises:
            OSError: if it cannot be written; so do the other methods.
        """
        self._file.append([MAGIC, record(HEADER, text("ros2"), text(library))])

    def add_metadata(self, name: str, values: Mapping[str, str]) -> None:
        """Write a metadata record."""
        octets = record(METADATA, text(name), text_map(values))
        self._list_metadata(self._file.append([octets]), len(octets), text(name))

    def add_schema(self, name: str, definition: str) -> int:
        """Write a message type's definition; its id."""
        key = len(self._declared[SCHEMA]) + 1
        octets = definition.encode()
        self._declare(
            SCHEMA,
            record(
                SCHEMA,
                pack("<H", key),
                text(name),
                text("ros2msg"),
                pack("<I", len(octets)),
                octets,
            ),
        )
        return key

    def add_channel(self, topic: str, schema: int, metadata: Mapping[str, str]) -> int:
        """Write a channel of CDR messages; its id."""
        key = len(self._declared[CHANNEL]) + 1
        assert key < MOST_CHANNELS
        head = pack("<HH", key, schema)
        self._declare(CHANNEL, record(CHANNEL, head, text(topic), text("cdr"), text_map(metadata)))
        return key

    def write(self, chunk: Chunk) -> None:
        """Write a chunk with its index; nothing is left of it in the file if that fails."""
        packed = self._packed(chunk.octets)
        compression = "zstd" if self._compress else ""
        head = pack("<QQQI", chunk.start_ns, chunk.end_ns, len(chunk.octets), 0) + text(compression)
        head = FRAME.pack(CHUNK, len(head) + 8 + len(packed)) + head + pack("<Q", len(packed))
        indexes = chunk.message_indexes()
        position = self._file.append([head, packed, *indexes.values()])
        length = len(head) + len(packed)
        self._add(chunk, position, length, compression, len(packed), indexes)

    def write_index(self, chunk: Chunk, record: Record, compression: str, packed: int) -> None:
        """Write the index of a chunk that is the last record of the file."""
        indexes = chunk.message_indexes()
        self._file.append([*indexes.values()])
        self._add(chunk, record.position, record.length, compression, packed, indexes)

    def adopt(self, record: Record) -> None:
        """Take in a declaration or metadata record that the file has already."""
        octets = self._file.read(record.position, record.length)
        if record.opcode in self._declared:
            self._declared[record.opcode].append(octets)
        elif record.opcode == METADATA:
            name = octets[FRAME.size :]
            (length,) = unpack_from("<I", name)
            self._list_metadata(record.position, record.length, name[: 4 + length])

    def end(self) -> None:
        """Write what closes the file: its index."""
        begin = self._file.size + len(_DATA_END)
        groups = [
            *((opcode, b"".join(records)) for opcode, records in self._declared.items()),
            (STATISTICS, self._statistics()),
            (CHUNK_INDEX, b"".join(map(_chunk_index, self.chunks))),
            (METADATA_INDEX, b"".join(self._metadata)),
        ]
        offsets, place = [], begin
        for opcode, octets in groups:
            if octets:
                offsets.append(record(SUMMARY_OFFSET, pack("<BQQ", opcode, place, len(octets))))
            place += len(octets)
        footer = record(FOOTER, pack("<QQI", begin, place, 0))
        summary = [octets for _, octets in groups]
        self._file.append([_DATA_END, *summary, *offsets, footer, MAGIC])

    def end_without_index(self) -> None:
        """Write the little that closes a file for readers that can do without its index."""
        self._file.append([_DATA_END, record(FOOTER, pack("<QQI", 0, 0, 0)), MAGIC])

    def _add(
        self,
        chunk: Chunk,
        position: int,
        length: int,
        compression: str,
        packed: int,
        indexes: dict[int, bytes],
    ) -> None:
        """Remember a chunk that is in the file with its index behind it."""
        places, place = {}, position + length
        for channel, octets in indexes.items():
            places[channel] = place
            place += len(octets)
        index_length = place - position - length
        sizes = packed, len(chunk.octets)
        self.chunks.append(
            ChunkPlace(
                chunk.start_ns,
                chunk.end_ns,
                position,
                length,
                places,
                index_length,
                compression,
                *sizes,
                chunk.counts(),
            )
        )

    def _list_metadata(self, position: int, length: int, name: bytes) -> None:
        self._metadata.append(record(METADATA_INDEX, pack("<QQ", position, length), name))

    def _declare(self, opcode: int, octets: bytes) -> None:
        self._file.append([octets])
        self._declared[opcode].append(octets)

    def _packed(self, octets: bytearray) -> bytes | bytearray:
        if not self._compress:
            return octets
        import zstandard

        return zstandard.ZstdCompressor(level=1).compress(octets)

    def _statistics(self) -> bytes:
        counts = dict.fromkeys(range(1, len(self._declared[CHANNEL]) + 1), 0)
        for chunk in self.chunks:
            for channel, count in chunk.counts.items():
                counts[channel] += count
        head = pack(
            "<QHIIIIQQ",
            sum(counts.values()),
            len(self._declared[SCHEMA]),
            len(self._declared[CHANNEL]),
            0,
            len(self._metadata),
            len(self.chunks),
            min((chunk.start_ns for chunk in self.chunks), default=0),
            max((chunk.end_ns for chunk in self.chunks), default=0),
        )
        listed = b"".join(pack("<HQ", *item) for item in counts.items())
        return record(STATISTICS, head, pack("<I", len(listed)), listed)


def record(opcode: int, *parts: bytes) -> bytes:
    """A record of some parts."""
    return b"".join([FRAME.pack(opcode, sum(map(len, parts))), *parts])


def text(value: str) -> bytes:
    """A string with its length."""
    octets = value.encode()
    return pack("<I", len(octets)) + octets


def text_map(values: Mapping[str, str]) -> bytes:
    """Strings by strings, with the length of all."""
    octets = b"".join(text(key) + text(value) for key, value in values.items())
    return pack("<I", len(octets)) + octets


def _chunk_index(chunk: ChunkPlace) -> bytes:
    places = b"".join(pack("<HQ", *item) for item in chunk.indexes.items())
    return record(
        CHUNK_INDEX,
        pack("<QQQQ", chunk.start_ns, chunk.end_ns, chunk.position, chunk.length),
        pack("<I", len(places)),
        places,
        pack("<Q", chunk.index_length),
        text(chunk.compression),
        pack("<QQ", chunk.packed, chunk.size),
    )


_DATA_END = record(DATA_END, pack("<I", 0))
