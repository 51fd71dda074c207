# SPDX-License-Identifier: Apache-2.0
"""Events as JSON lines: of a replay all at the end, of a live run each as it happens."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from sensebind.errors import SinkError
from sensebind.sinks.atomic import AtomicFile, reason_and_fix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Write = Callable[[object], None]
    """Keeps an event."""


@contextmanager
def written_lines(path: Path) -> Iterator[Write]:
    """Write a file anew, which replaces an earlier one only if the block succeeds.

    Raises:
        SinkError: if it cannot be written.
    """
    file = AtomicFile(path)

    def write(event: object) -> None:
        with file.writing():
            file.stream.write(_line(event))

    try:
        yield write
        file.commit()
    finally:
        file.discard()


@contextmanager
def appended_lines(path: Path, tell: Callable[[str], None]) -> Iterator[Write]:
    """Add each event to a file at once, behind what is there, so that a crash leaves them all.

    An event that cannot be written is told and costs nothing else.

    Raises:
        SinkError: if the file cannot be opened.
    """
    try:
        file = path.open("ab", buffering=0)
    except OSError as error:
        raise SinkError(f"cannot write to {str(path)!r}: {reason_and_fix(error)}") from None

    def write(event: object) -> None:
        try:
            file.write(_line(event))
        except OSError as error:
            tell(f"a line for {str(path)!r} was lost: {reason_and_fix(error)}")

    with file:
        yield write


def _line(event: object) -> bytes:
    return msgspec.json.encode(event) + b"\n"
