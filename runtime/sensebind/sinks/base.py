# SPDX-License-Identifier: Apache-2.0
"""What a sink is: something that keeps records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sensebind.records import Record


class Sink(Protocol):
    """Keeps the records of one run. Nothing replaces an earlier file before `close` succeeds."""

    def write(self, record: Record) -> None:
        """Keep one record.

        Raises:
            SinkError: if it cannot be written, naming the file and the reason.
        """
        ...

    def close(self) -> None:
        """Finish: make what was written visible under its final name."""
        ...

    def abort(self) -> None:
        """Give up: leave an earlier file as it was and remove what was begun."""
        ...
