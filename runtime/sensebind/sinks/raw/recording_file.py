# SPDX-License-Identifier: Apache-2.0
"""The file of one recording, from its first byte to its final name."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from sensebind.errors import InputError, SinkError
from sensebind.recording import LOSSES_NAME, METADATA_NAME, UNFINISHED_SUFFIX
from sensebind.sinks.atomic import reason_and_fix
from sensebind.sinks.raw.channels import Channels
from sensebind.sinks.raw.mcap_stream import McapStream
from sensebind.sinks.raw.steady_file import SteadyFile
from sensebind.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sensebind.recording import RecordingMetadata
    from sensebind.sinks.raw.mcap_stream import Chunk


class RecordingFile:
    """A recording that grows under the name of its unfinished file.

    Attributes:
        channels: the channels of its messages.
    """

    def __init__(self, path: Path, metadata: RecordingMetadata, *, compress: bool) -> None:
        """Begin it.

        Raises:
            InputError: if an unfinished recording of that name is there.
            SinkError: if it cannot be written.
        """
        self._path = path
        self._unfinished = unfinished(path)
        try:
            self._file = SteadyFile(self._unfinished)
        except FileExistsError:
            raise InputError(
                f"{str(self._unfinished)!r} is a recording that was interrupted, or another one in "
                f"progress; finish it first: sensebind recover {path}"
            ) from None
        except OSError as error:
            raise SinkError(f"cannot record to {str(path)!r}: {reason_and_fix(error)}") from error
        try:
            self._stream = McapStream(self._file, compress=compress)
            self._stream.begin(f"sensebind {__version__}")
            self._stream.add_metadata(METADATA_NAME, metadata.encode())
        except OSError as error:
            self._discard()
            raise SinkError(f"cannot record to {str(path)!r}: {reason_and_fix(error)}") from error
        self.channels = Channels(self._stream)

    def write(self, chunk: Chunk) -> None:
        """Write messages; nothing is left of them in the file if that fails.

        Raises:
            OSError: if they cannot be written.
        """
        self._stream.write(chunk)

    def sync(self) -> None:
        """Make sure that what was written is on the disk.

        Raises:
            OSError: if it cannot be told.
        """
        self._file.sync()

    def complete(self, lost: Mapping[str, Mapping[str, int]]) -> None:
        """Write the index and give the file its name; a file without messages is removed instead.

        Args:
            lost: what is missing, by stream and cause.

        Raises:
            SinkError: if that fails, naming where the messages lie.
        """
        if not self._stream.chunks:
            self._discard()
            return
        finish(self._stream, self._file, lost)
        with suppress(OSError):
            self._file.close()
        name_finished(self._path)

    def _discard(self) -> None:
        with suppress(OSError):
            self._file.close()
            self._unfinished.unlink()


def unfinished(path: Path) -> Path:
    """Where a recording lies until it is complete."""
    return path.with_name(path.name + UNFINISHED_SUFFIX)


def finish(stream: McapStream, file: SteadyFile, lost: Mapping[str, Mapping[str, int]]) -> None:
    """Close an MCAP file with what fits on the disk: its index, or the least there is."""
    file.release_reserve()
    with suppress(OSError):
        if lost:
            stream.add_metadata(LOSSES_NAME, {name: json.dumps(lost[name]) for name in lost})
    try:
        stream.end()
    except OSError:
        with suppress(OSError):
            stream.end_without_index()
    with suppress(OSError):
        file.sync()


def name_finished(path: Path) -> None:
    """Give a complete recording its name.

    Raises:
        SinkError: if that fails; it stays where it is.
    """
    source = unfinished(path)
    try:
        source.replace(path.resolve())  # a link is followed: what it points to is replaced
        descriptor = os.open(path.resolve().parent, os.O_RDONLY)
    except OSError as error:
        raise SinkError(
            f"cannot name the recording {str(path)!r}: {reason_and_fix(error)}; it lies in "
            f"{str(source)!r}"
        ) from error
    with suppress(OSError):
        os.fsync(descriptor)
    os.close(descriptor)
