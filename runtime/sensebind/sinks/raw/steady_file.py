# SPDX-License-Identifier: Apache-2.0
"""A file that grows by whole pieces: what was written stays, whatever happens to the next piece."""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_RESERVED_BYTES = 1 << 20


class SteadyFile:
    """A file that one program writes; while it is open, room for its end is kept on the disk.

    Attributes:
        size: length of what is written, in whole pieces.
    """

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        """Make the file, which must not exist, or with `resume` open one that does.

        Raises:
            BlockingIOError: if another program is writing it.
            OSError: if it cannot be opened; the other methods raise it as well.
        """
        how = os.O_RDWR if resume else os.O_CREAT | os.O_EXCL | os.O_RDWR
        self._descriptor = os.open(path, how, 0o666)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise
        self.size = os.fstat(self._descriptor).st_size
        self._reserve = _reserve(path.parent)

    def read(self, position: int, length: int) -> bytes:
        """What is written from `position` on, up to `length` bytes."""
        return os.pread(self._descriptor, length, position)

    def append(self, parts: Sequence[bytes | bytearray]) -> int:
        """Write a piece at the end; where it begins. If that fails, nothing of it is left."""
        position = end = self.size
        try:
            for part in parts:
                self._write(part, end)
                end += len(part)
        except OSError:
            with suppress(OSError):
                self.cut(position)
            raise
        self.size = end
        return position

    def cut(self, size: int) -> None:
        """Leave only the first `size` bytes."""
        os.ftruncate(self._descriptor, size)
        self.size = size

    def sync(self) -> None:
        """Make sure that what was written is on the disk."""
        os.fsync(self._descriptor)

    def release_reserve(self) -> None:
        """Give the room back that was kept for the file's end."""
        if self._reserve is not None:
            os.close(self._reserve)
            self._reserve = None

    def close(self) -> None:
        """Close the file."""
        self.release_reserve()
        os.close(self._descriptor)

    def _write(self, part: bytes | bytearray, position: int) -> None:
        view = memoryview(part)
        while view:
            written = os.pwrite(self._descriptor, view, position)
            view, position = view[written:], position + written


def _reserve(folder: Path) -> int | None:
    """Space on the disk under no name, which is free again when this process ends."""
    with suppress(OSError):
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=".sensebind-")
        os.unlink(name)  # noqa: PTH108 - nothing but a name
        with suppress(OSError):
            os.posix_fallocate(descriptor, 0, _RESERVED_BYTES)
        return descriptor
    return None
