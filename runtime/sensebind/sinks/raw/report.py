# SPDX-License-Identifier: Apache-2.0
"""What became of the blocks offered to a recorder."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class RecorderReport:
    """Counts of samples, readings or frames: offered = written + lost + waiting.

    Attributes:
        written: what is in the file, by stream.
        lost: what is not, by stream and cause.
        notes: sentences for the user.
    """

    written: dict[str, int] = field(default_factory=dict)
    lost: dict[str, dict[str, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _tell: Callable[[str], None] | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def lose(self, stream: str, cause: str, count: int) -> None:
        """Count what will not be in the recording; any thread may call it."""
        with self._lock:
            causes = self.lost.setdefault(stream, {})
            causes[cause] = causes.get(cause, 0) + count

    def note(self, sentence: str) -> None:
        """Tell the user something; the recorder's thread calls it."""
        if sentence not in self.notes:
            self.notes.append(sentence)
        if self._tell is not None:
            with suppress(Exception):  # what the listener does wrong is not our end
                self._tell(sentence)

    def copied_losses(self) -> dict[str, dict[str, int]]:
        """The losses so far."""
        with self._lock:
            return {stream: dict(causes) for stream, causes in self.lost.items()}
