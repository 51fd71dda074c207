# SPDX-License-Identifier: Apache-2.0
"""Signals are heard, at whatever moment they come."""

from __future__ import annotations

import ctypes
import signal
import sys
import time
from queue import Empty, SimpleQueue
from threading import Event, Timer

import pytest

from sensebind.errors import Interrupted
from sensebind.flow.signals import HEARING_S, heard, raised_again
from tests.support.running import PATIENCE_S
from tests.support.signals import handler, unnoticed_signal


def test_what_is_there_comes_in_order() -> None:
    queue: SimpleQueue[int] = SimpleQueue()
    queue.put(1)
    queue.put(2)
    assert [heard(queue), heard(queue, time.monotonic() - 1)] == [1, 2]


@pytest.mark.parametrize("wait_s", [-1.0, 0.0, 0.5 * HEARING_S, 2.5 * HEARING_S])
def test_it_gives_up_no_sooner_than_told(wait_s: float) -> None:
    until_s = time.monotonic() + wait_s
    with pytest.raises(Empty):
        heard(SimpleQueue(), until_s)
    assert time.monotonic() >= until_s


def test_what_comes_after_many_looks_is_taken() -> None:
    queue: SimpleQueue[str] = SimpleQueue()
    Timer(2.5 * HEARING_S, queue.put, ["late"]).start()
    assert heard(queue) == "late"


def test_a_signal_that_does_not_end_the_wait_is_heard() -> None:
    queue: SimpleQueue[str] = SimpleQueue()
    rescue = Timer(PATIENCE_S, queue.put, ["never heard"])
    rescue.start()
    with (
        handler(signal.SIGTERM, lambda: queue.put("heard")),
        unnoticed_signal(signal.SIGTERM, "heard"),
    ):
        found = heard(queue)
    rescue.cancel()
    assert found == "heard"


def test_what_was_raised_in_vain_is_raised_again() -> None:
    """In a function that C calls, three times."""
    lost: list[sys.UnraisableHookArgs] = []
    hook, sys.unraisablehook = sys.unraisablehook, lost.append
    raised = 0

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal raised
        raised += 1
        raise Interrupted

    def fail() -> None:
        Event().wait(PATIENCE_S) if raised else interrupt(0, None)

    def work() -> None:
        for each in (fail, fail, lambda: 1 // 0):
            ctypes.CFUNCTYPE(None)(each)()
        Event().wait(PATIENCE_S)

    before = signal.getsignal(signal.SIGALRM)
    try:
        with pytest.raises(Interrupted), raised_again(interrupt):
            work()
        assert raised == 3
        assert [each.exc_type for each in lost] == [ZeroDivisionError]
        assert sys.unraisablehook == lost.append
        assert signal.getsignal(signal.SIGALRM) is before
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    finally:
        sys.unraisablehook = hook
