# SPDX-License-Identifier: Apache-2.0
"""Uncompressed MCAP chunks, read without what is not wanted.

Long messages are read into memory of their own: those of other channels are passed over, and none
keeps its chunk in memory while it waits for its turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from sensebind.sources.bags.mcap_index import (
    MESSAGE,
    MESSAGE_HEADER_BYTES,
    MESSAGE_RECORD,
    RECORD_FRAME_BYTES,
    Record,
    chunk_head,
    messages_of,
    take_messages,
)
from sensebind.sources.messages.wire import Cursor, DecodeError

if TYPE_CHECKING:
    from sensebind.sources.bags.containers import Column

_HEAD_BYTES = 128
_SHORT_BYTES = 16 << 10  # of a record that is read together with its neighbours
_WINDOW_BYTES = 1 << 20  # at most read at once


def stored_records(stream: BinaryIO, chunk: Record) -> tuple[int, int] | None:
    """Where in the file a chunk's records begin and end; None if it is compressed.

    Raises:
        DecodeError: if it is damaged.
    """
    stream.seek(chunk.position)
    cursor = Cursor(stream.read(min(chunk.length, _HEAD_BYTES)), "ros1")
    head = chunk_head(cursor, chunk.length)
    if head.compression:
        return None
    return chunk.position + cursor.position, chunk.position + chunk.length


def stored_messages(stream: BinaryIO, begin: int, end: int, lists: dict[int, Column]) -> None:
    """Append the messages of some channels that lie between two offsets to their lists.

    Raises:
        DecodeError: if a record does not fit; what comes before it is appended.
    """
    size = _SHORT_BYTES
    while begin < end:
        window = _read(stream, begin, min(size, end - begin))
        taken = take_messages(window, 0, lists, copied_bytes=len(window))
        rest = len(window) - taken
        if begin + len(window) == end:
            messages_of(window, taken, lists)  # nothing, or what does not fit
            return
        begin += taken
        size = min(2 * size, _WINDOW_BYTES)
        if rest < MESSAGE_RECORD.size:
            continue
        opcode, length, channel, log_ns = MESSAGE_RECORD.unpack_from(window, taken)
        if length <= _SHORT_BYTES:
            continue
        body = begin + RECORD_FRAME_BYTES
        begin = body + length
        if begin > end:
            raise DecodeError("damaged chunk")
        if opcode == MESSAGE and channel in lists:
            data = _read(stream, body + MESSAGE_HEADER_BYTES, length - MESSAGE_HEADER_BYTES)
            lists[channel].logs_ns.append(log_ns)
            lists[channel].data.append(data)
        size = _SHORT_BYTES


def _read(stream: BinaryIO, begin: int, size: int) -> bytes:
    stream.seek(begin)
    found = stream.read(size)
    if len(found) < size:
        raise DecodeError("damaged chunk")
    return found
