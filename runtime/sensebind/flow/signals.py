# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM end a live run gracefully; SIGHUP has a service look at its file again."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopping_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on the first Ctrl-C or SIGTERM; a second one interrupts, as it always would.

    For the main thread. `stop` is called between two instructions of it, so it takes no lock that
    the thread may hold; `Pipeline.stop` does not.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def handle(_number: int, _frame: FrameType | None) -> None:
        for each, handler in before.items():
            signal.signal(each, handler)
        stop()

    for number in _SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def reloading_on_hangup(reload: Callable[[], None]) -> Iterator[None]:
    """Call `reload` on each SIGHUP; for the main thread, as above."""
    before = signal.getsignal(signal.SIGHUP)
    signal.signal(signal.SIGHUP, lambda _number, _frame: reload())
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
