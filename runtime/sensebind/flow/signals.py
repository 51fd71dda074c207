# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM end a live run gracefully; SIGHUP has a service look at its file again."""

from __future__ import annotations

import math
import signal
import sys
import time
from contextlib import contextmanager
from queue import Empty
from typing import TYPE_CHECKING, TypeVar

from sensebind.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from queue import SimpleQueue
    from types import FrameType

    Handler = Callable[[int, FrameType | None], object]

T = TypeVar("T")

HEARING_S = 0.1
"""How late a signal may be heard. CPython runs handlers between two instructions: a signal that
comes just before a wait is heard after it, so no wait of the main thread may be without an end."""

_AGAIN_S = 0.05
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

    One that is slow has to: CPython (up to 3.12 at least) waits without an end where handling a
    signal outlasts the timeout.

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


@contextmanager
def raised_again(handler: Handler) -> Iterator[None]:
    """Have a handler called again, soon after it raised Interrupted in vain; for the main thread.

    No exception leaves a function that C code calls, as Numba's compiler does.

    Args:
        handler: of SIGALRM while the block runs; it raises Interrupted.
    """

    def heed(lost: sys.UnraisableHookArgs) -> None:
        if isinstance(lost.exc_value, Interrupted):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
        else:
            usual(lost)

    before = signal.signal(signal.SIGALRM, handler)
    usual, sys.unraisablehook = sys.unraisablehook, heed
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = usual
        signal.signal(signal.SIGALRM, before)
