# SPDX-License-Identifier: Apache-2.0
"""Snapshots of a run as JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sensebind.closing import Closing
from sensebind.errors import SinkError

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.metrics.snapshot import Snapshot


class SnapshotLines(Closing):
    """Writes one line per snapshot, each at once, so that a crash leaves all but the last."""

    def __init__(self, path: Path, *, anew: bool = True) -> None:
        """Begin the file anew, or go on behind what is there.

        Raises:
            SinkError: if it cannot be opened.
        """
        self._path = path
        try:
            # Unbuffered: what could not be written is known when it is, and not when it is closed.
            # Appending: lines go on at the start of a file that somebody (logrotate) has emptied.
            if anew:
                path.write_bytes(b"")
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from None

    def take(self, snapshot: Snapshot) -> None:
        """Write one line.

        Raises:
            SinkError: if it cannot be written.
        """
        try:
            self._file.write(msgspec.json.encode(snapshot) + b"\n")
        except OSError as error:
            raise self._unwritable(error) from None

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def _unwritable(self, error: OSError) -> SinkError:
        return SinkError(
            f"cannot write statistics to {str(self._path)!r}: {error.strerror or error}; "
            "choose another file or free some space"
        )
