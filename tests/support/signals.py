# SPDX-License-Identifier: Apache-2.0
"""Signals that come at the worst moment."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


@contextmanager
def unnoticed_signal(number: signal.Signals, function: str) -> Iterator[None]:
    """Once the main thread waits in a function, a signal comes that does not end the wait.

    It is another thread that the system hands the signal, so the main one learns of it when it
    next looks; one that comes just before a wait is as late.
    """
    main = threading.main_thread().ident
    assert main is not None
    over = threading.Event()

    def send() -> None:
        while not over.wait(0.001):
            if _runs(main, function):
                signal.raise_signal(number)
                return

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def handler(number: signal.Signals, handle: Callable[[], None]) -> Iterator[None]:
    """Have a signal handled while the block runs."""
    before = signal.signal(number, lambda *_: handle())
    try:
        yield
    finally:
        signal.signal(number, before)


def _runs(thread: int, function: str) -> bool:
    frame: FrameType | None = sys._current_frames()[thread]
    while frame is not None and frame.f_code.co_name != function:
        frame = frame.f_back
    return frame is not None
