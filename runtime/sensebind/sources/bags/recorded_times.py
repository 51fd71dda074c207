# SPDX-License-Identifier: Apache-2.0
"""All three times of what a recording of ours holds: what clock models were, or are, made from."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.errors import SourceError
from sensebind.grid import NS_PER_S
from sensebind.recording import STREAM_KEY
from sensebind.sources.bags.containers import LATEST_NS
from sensebind.sources.bags.mcap_index import (
    CHUNK,
    MAGIC,
    MESSAGE,
    MESSAGE_HEADER_BYTES,
    CutError,
    chunk_records,
    read_body,
    read_index,
    records,
    unpacked_chunk,
)
from sensebind.sources.layout import open_checked
from sensebind.sources.messages.wire import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

    Times = NDArray[np.int64]

_HEAD = Struct("<H4xQq4xiI")  # channel, receive time, device stamp, encapsulation, stamp


class RecordedTimes(NamedTuple):
    """Times in ns of the messages of one stream, each int64 (n,), in the order of the file.

    Attributes:
        device_ns: by the clock of the device.
        stamps_ns: mapped into the run's reference clock.
        receive_ns: of receipt, by the reference clock.
    """

    device_ns: Times
    stamps_ns: Times
    receive_ns: Times


def recorded_times(path: Path) -> dict[str, RecordedTimes]:
    """The times of a recording of ours by stream; an unfinished one is read as far as it goes.

    Raises:
        SourceError: if it is none.
    """
    found: dict[str, list[tuple[int, int, int]]] = {}
    with open_checked(path, MAGIC, "an MCAP file") as stream:
        size = path.stat().st_size
        index = read_index(stream, size)
        streams = {
            key: channel.metadata[STREAM_KEY]
            for key, channel in index.channels.items()
            if STREAM_KEY in channel.metadata
        }
        if not streams:
            raise SourceError(f"{path}: not recorded by SenseBind, so it has no device stamps")
        for channel, receive_ns, device_ns, stamp_ns in _heads(stream, index.end):
            if channel in streams and receive_ns <= LATEST_NS:
                rows = found.setdefault(streams[channel], [])
                rows.append((device_ns, stamp_ns, receive_ns))
    return {name: RecordedTimes(*np.array(rows, np.int64).T.copy()) for name, rows in found.items()}


def _heads(stream: BinaryIO, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Channel, receive time, device stamp and stamp of every message up to a cut."""
    try:
        for record in records(stream, len(MAGIC), end):
            if record.opcode == CHUNK:
                payload, begin = unpacked_chunk(read_body(stream, record))
                for opcode, body, after in chunk_records(payload, begin):
                    if opcode == MESSAGE and after - body >= MESSAGE_HEADER_BYTES + 12:
                        channel, log_ns, device_ns, seconds, nanoseconds = _HEAD.unpack_from(
                            payload, body
                        )
                        yield channel, log_ns, device_ns, seconds * NS_PER_S + nanoseconds
    except (CutError, DecodeError):
        return
