# SPDX-License-Identifier: Apache-2.0
"""Things that are closed, as context managers; threads that end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import Thread
    from types import TracebackType

    from typing_extensions import Self


class Closing(ABC):
    """A context manager that is entered as it is, and closed at the end however that comes."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def has_ended(thread: Thread, timeout_s: float) -> bool:
    """Wait for a thread; whether it has ended, or never began since that was interrupted."""
    if thread.ident is not None:
        thread.join(timeout_s)
    return not thread.is_alive()
