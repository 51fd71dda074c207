# SPDX-License-Identifier: Apache-2.0
"""The thread of a device that has to be read from."""

from __future__ import annotations

from contextlib import closing
from threading import Event, Thread, current_thread
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

_STOP_S = 5.0
"""Longest wait for the thread; a driver that hangs keeps it, and what it reads is not delivered."""


class Opened(Protocol):
    """A device that is open."""

    def read(self) -> None:
        """Wait a short while for what comes, and deliver it; raises when the device is gone."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class ReadingThread:
    """Reads an open device until it is stopped or fails, then closes it."""

    def __init__(self, name: str) -> None:
        """Nothing is read before `start`."""
        self.stopping = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._opened: Opened
        self._fail: Callable[[Exception], None]

    def start(self, opened: Opened, fail: Callable[[Exception], None]) -> None:
        """Begin; the thread owns `opened` from now on, and tells `fail` why it ended early."""
        self._opened, self._fail = opened, fail
        self._thread.start()

    def stop(self) -> None:
        """Read no more; returns when the device is closed."""
        self.stopping.set()
        if self._thread.is_alive() and self._thread is not current_thread():
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        try:
            with closing(self._opened):
                while not self.stopping.is_set():
                    self._opened.read()
        except Exception as error:  # noqa: BLE001 - whatever the driver raises
            if not self.stopping.is_set():
                self._fail(error)
