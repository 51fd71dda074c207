# SPDX-License-Identifier: Apache-2.0
"""Signals are heard, at whatever moment they come."""

from __future__ import annotations

import signal
import time
from queue import Empty, SimpleQueue
from threading import Timer

import pytest

from sensebind.flow.signals import HEARING_S, heard
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
