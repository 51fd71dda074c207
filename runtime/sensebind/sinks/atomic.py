# SPDX-License-Identifier: Apache-2.0
"""A file that appears under its name only when it is complete."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from sensebind.errors import SinkError
from sensebind.storage import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FIXES = {
    errno.ENOSPC: "free some space or choose another place",
    errno.EDQUOT: "free some of your quota or choose another place",
    errno.EFBIG: "raise the file size limit (ulimit -f) or write a shorter run",
    errno.EACCES: "choose a folder you may write to",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EROFS: "the file system is read-only, choose another place",
}


class _DiscardError(Exception):
    """Makes `atomic_path` give up."""


class AtomicFile:
    """A binary file written beside `path` that replaces it on `commit`, never before.

    Attributes:
        stream: the open temporary file.
    """

    def __init__(self, path: Path) -> None:
        """Begin the temporary file.

        Raises:
            SinkError: if the folder cannot be written to.
        """
        self._path = path
        self._stack = ExitStack()
        with self.writing():
            # A link is followed, so that what it points to is replaced and not the link.
            self._temporary = self._stack.enter_context(atomic_path(path.resolve()))
            self.stream = self._temporary.open("wb")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn a failure of the file system into a SinkError that names the file and the fix."""
        try:
            yield
        except OSError as error:
            raise SinkError(
                f"cannot write {str(self._path)!r}: {reason_and_fix(error)}. "
                "A file of that name from before is untouched"
            ) from error

    def commit(self) -> None:
        """Flush to disk and put the file under its name.

        Raises:
            SinkError: if that fails; the earlier file is then untouched.
        """
        with self.writing():
            self.stream.close()
            self._stack.close()

    def discard(self) -> None:
        """Remove the temporary file; after `commit` there is none and nothing happens."""
        with suppress(OSError):
            self.stream.close()
        with suppress(_DiscardError), self._stack:
            raise _DiscardError


def reason_and_fix(error: OSError) -> str:
    """What a failure of the file system is and what to do about it."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"{reason}; {_FIXES.get(error.errno or 0, 'check the disk and the folder')}"
