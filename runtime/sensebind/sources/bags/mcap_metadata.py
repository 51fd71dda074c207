# SPDX-License-Identifier: Apache-2.0
"""The metadata record by which a recording of ours is known."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from sensebind.errors import InputError, SourceError
from sensebind.recording import METADATA_NAME, RecordingMetadata
from sensebind.sources.bags.mcap_index import (
    CHUNK,
    DATA_END,
    FOOTER_BYTES,
    MAGIC,
    MESSAGE,
    CutError,
    Record,
    read_body,
    records,
)
from sensebind.sources.messages.wire import Cursor, DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METADATA, METADATA_INDEX = 12, 13


def recording_metadata(stream: BinaryIO, size: int, path: Path) -> RecordingMetadata | None:
    """What a recording tells of itself if it is one of ours, a file of `size` bytes.

    The recorder writes it first; a tool that rewrites the file may put it anywhere and lists it in
    the summary.

    Raises:
        SourceError: if it was written by a version that this one does not understand.
    """
    for record in chain(_leading(stream, size), _listed(stream, size)):
        body = Cursor(read_body(stream, record), "ros1")
        try:
            if body.text() != METADATA_NAME:
                continue
            keys = body.text_map()
        except DecodeError:
            continue
        try:
            return RecordingMetadata.decode(keys, str(path))
        except InputError as error:
            raise SourceError(str(error)) from None
    return None


def _leading(stream: BinaryIO, size: int) -> Iterator[Record]:
    """Metadata records before the first message."""
    try:
        for record in records(stream, len(MAGIC), size):
            if record.opcode in (CHUNK, MESSAGE, DATA_END):
                return
            if record.opcode == METADATA:
                yield record
    except CutError:
        return


def _listed(stream: BinaryIO, size: int) -> Iterator[Record]:
    """Metadata records that the summary lists."""
    try:
        footer_start = size - FOOTER_BYTES - len(MAGIC)
        footer = next(records(stream, max(footer_start, len(MAGIC)), size))
        summary = Cursor(read_body(stream, footer), "ros1").uint64()
        for listed in records(stream, max(summary, len(MAGIC)), footer_start if summary else 0):
            if listed.opcode == METADATA_INDEX:
                position = Cursor(read_body(stream, listed), "ros1").uint64()
                yield from (r for r in _first(stream, position, size) if r.opcode == METADATA)
    except (CutError, DecodeError, StopIteration):
        return


def _first(stream: BinaryIO, position: int, size: int) -> list[Record]:
    return [next(records(stream, position, size))] if len(MAGIC) <= position < size else []
