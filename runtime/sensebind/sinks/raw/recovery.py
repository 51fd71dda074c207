# SPDX-License-Identifier: Apache-2.0
"""Completing a recording whose recorder was killed: what is whole stays, and gets its index."""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812 - it is a class
from typing import TYPE_CHECKING

from sensebind.errors import InputError, SinkError
from sensebind.sinks.atomic import reason_and_fix
from sensebind.sinks.raw.mcap_stream import (
    CHUNK,
    DATA_END,
    FOOTER,
    FRAME,
    MAGIC,
    MESSAGE,
    MESSAGE_HEAD,
    MESSAGE_INDEX,
    Chunk,
    ChunkPlace,
    McapStream,
    Record,
)
from sensebind.sinks.raw.recording_file import finish, name_finished, unfinished
from sensebind.sinks.raw.steady_file import SteadyFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK_HEAD = Struct("<QQQII")  # times, size, checksum, length of the compression's name
_INDEX_HEAD = Struct("<HI")
_INDEX_ENTRY_BYTES = 16
_NOTHING = 0  # no opcode; a loss of power leaves zeros where the disk was not written yet


def recover_recording(path: Path) -> int:
    """Complete the unfinished recording of this name; the number of its messages.

    Raises:
        InputError: if it is none, or is being written.
        SinkError: if it cannot be completed; what it holds stays where it is.
    """
    part = unfinished(path)
    try:
        file = SteadyFile(part, resume=True)
    except BlockingIOError:
        raise InputError(
            f"{str(part)!r} is being written; end the program that records it first"
        ) from None
    except OSError as error:
        raise SinkError(f"cannot open {str(part)!r}: {reason_and_fix(error)}") from error
    try:
        if file.read(0, len(MAGIC)) != MAGIC:
            raise InputError(f"{str(part)!r} is no recording; remove it")
        stream = McapStream(file, compress=False)
        _take_in(stream, file)
        finish(stream, file, {})
    except (StructError, LookupError, ValueError) as error:  # numbers that cannot be
        raise SinkError(
            f"cannot complete {str(part)!r}: it is damaged ({error}); what can be read of it is "
            f"read as it is: sensebind replay {part}"
        ) from None
    except OSError as error:
        raise SinkError(f"cannot complete {str(part)!r}: {reason_and_fix(error)}") from error
    finally:
        file.close()
    name_finished(path)
    return sum(sum(chunk.counts.values()) for chunk in stream.chunks)


def _take_in(stream: McapStream, file: SteadyFile) -> None:
    """Learn what the file holds, and leave nothing in it behind the last whole record."""
    chunk: Record | None = None
    indexes: list[Record] = []
    end = len(MAGIC)
    for record in _records(file):
        if record.opcode == MESSAGE_INDEX:
            indexes.append(record)
        else:
            if chunk is not None:
                stream.chunks.append(_place(file, chunk, indexes))
            chunk, indexes = (record if record.opcode == CHUNK else None), []
            stream.adopt(record)
        end = record.position + record.length
    if chunk is None:
        file.cut(end)
        return
    # The last chunk's index may be cut: it is written again.
    file.cut(chunk.position + chunk.length)
    octets = file.read(chunk.position, chunk.length)
    compression, begin = _compression(octets)
    stream.write_index(_chunk(octets[begin:], compression), chunk, compression, len(octets) - begin)


def _records(file: SteadyFile) -> Iterator[Record]:
    """The records of the data section that are whole."""
    position = len(MAGIC)
    while len(frame := file.read(position, FRAME.size)) == FRAME.size:
        opcode, body = FRAME.unpack(frame)
        length = FRAME.size + body
        if opcode in (_NOTHING, DATA_END, FOOTER) or position + length > file.size:
            return
        yield Record(opcode, position, length)
        position += length


def _place(file: SteadyFile, chunk: Record, indexes: list[Record]) -> ChunkPlace:
    """What the index says of a chunk, by its head and the indexes of its messages."""
    octets = file.read(chunk.position, FRAME.size + _CHUNK_HEAD.size + 16)
    start_ns, end_ns, size, _, _ = _CHUNK_HEAD.unpack_from(octets, FRAME.size)
    compression, begin = _compression(octets)
    places, counts = {}, {}
    for index in indexes:
        body = file.read(index.position + FRAME.size, _INDEX_HEAD.size)
        channel, length = _INDEX_HEAD.unpack(body)
        places[channel] = index.position
        counts[channel] = length // _INDEX_ENTRY_BYTES
    return ChunkPlace(
        start_ns,
        end_ns,
        chunk.position,
        chunk.length,
        places,
        sum(index.length for index in indexes),
        compression,
        chunk.length - begin,
        size,
        counts,
    )


def _compression(octets: bytes) -> tuple[str, int]:
    """How a chunk record is packed, and where in it its messages begin."""
    name = FRAME.size + _CHUNK_HEAD.size
    *_, length = _CHUNK_HEAD.unpack_from(octets, FRAME.size)
    return octets[name : name + length].decode("utf-8", "replace"), name + length + 8


def _chunk(packed: bytes, compression: str) -> Chunk:
    """A chunk's messages with their index."""
    octets = packed
    if compression == "zstd":
        import zstandard

        try:
            octets = zstandard.ZstdDecompressor().decompress(packed)
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from None
    chunk = Chunk(octets)
    position = 0
    while position + MESSAGE_HEAD.size <= len(octets):
        opcode, length, channel, _, log_ns, _ = MESSAGE_HEAD.unpack_from(octets, position)
        if opcode == MESSAGE:
            chunk.index(channel, log_ns, position)
        position += FRAME.size + length
    return chunk
