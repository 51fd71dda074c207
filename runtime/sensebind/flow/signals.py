# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM end a live run gracefully; SIGHUP has a service look at its file again."""

from __future__ import annotations

import math
import signal
import time
from contextlib import contextmanager
from queue import Empty
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from queue import SimpleQueue
    from types import FrameType

T = TypeVar("T")

HEARING_S = 0.1
"""How late a signal may be heard. CPython runs handlers between two instructions: a signal that
comes just before a wait is heard after it, so no wait of the main thread may be without an end."""

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


def heard(queue: SimpleQueue[T], until_s: float = math.inf) -> T:
    """Wait for what comes next in a queue, and for signals, whose handlers may put it there.

    Args:
        queue: from which one is taken.
        until_s: give up then, in seconds of `time.monotonic`.

    Raises:
        Empty: nothing came until then.
    """
    while True:
        left_s = until_s - time.monotonic()
        try:
            return queue.get(timeout=max(0.0, min(left_s, HEARING_S)))
        except Empty:
            if left_s <= HEARING_S:
                raise
