# SPDX-License-Identifier: Apache-2.0
"""The clock of a played recording."""

from __future__ import annotations

import signal
import threading

import pytest

from sensebind_ros.pacing import Pace
from tests.support.running import PATIENCE_S
from tests.support.signals import handler, unnoticed_signal

NS = 1_000_000_000


class Steady:
    """A clock that is set by the test."""

    def __init__(self) -> None:
        self.ns = 5 * NS

    def __call__(self) -> int:
        return self.ns


def due(pace: Pace, instant_ns: int) -> bool:
    """Whether an instant is due now: a thread that waits for it ends without time going on."""
    reached = threading.Event()

    def wait() -> None:
        if pace.wait(instant_ns):
            reached.set()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    thread.join(0.05)
    return reached.is_set()


@pytest.mark.parametrize("rate", [0.5, 1.0, 4.0])
def test_instants_are_due_at_their_rate(rate: float) -> None:
    steady = Steady()
    pace = Pace(rate, now=steady)
    pace.begin(100 * NS)
    assert due(pace, 100 * NS)
    steady.ns += 2 * NS
    assert due(pace, round((100 + 2 * rate) * NS))
    assert not due(pace, round((100 + 2 * rate) * NS) + 1_000_000)
    pace.stop()


def test_rate_0_is_as_fast_as_possible() -> None:
    pace = Pace(0, now=Steady())
    pace.begin(0)
    assert pace.wait(10**18)


def test_a_pause_does_not_count() -> None:
    steady = Steady()
    pace = Pace(1, now=steady)
    pace.begin(0)
    steady.ns += NS
    pace.pause(True)
    assert pace.paused
    steady.ns += 60 * NS
    assert not due(pace, NS)
    pace.pause(False)
    assert due(pace, NS)
    assert not due(pace, NS + 1_000_000)
    steady.ns += NS
    assert due(pace, 2 * NS)
    pace.stop()


def test_pausing_twice_is_as_once() -> None:
    steady = Steady()
    pace = Pace(1, paused=True, now=steady)
    pace.begin(0)
    steady.ns += NS
    pace.pause(True)
    pace.pause(False)
    pace.pause(False)
    assert due(pace, 0)
    assert not due(pace, 1_000_000)
    pace.stop()


def test_beginning_anew_goes_back() -> None:
    steady = Steady()
    pace = Pace(1, now=steady)
    pace.begin(50 * NS)
    steady.ns += 10 * NS
    pace.begin(50 * NS)
    assert due(pace, 50 * NS)
    assert not due(pace, 51 * NS)
    pace.stop()


@pytest.mark.parametrize("paused", [True, False])
def test_stopping_ends_all_waiting(*, paused: bool) -> None:
    pace = Pace(1, paused=paused, now=Steady())
    pace.begin(0)
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(pace.wait(3600 * NS)))
    thread.start()
    pace.stop()
    thread.join()
    assert answers == [False]
    assert not pace.wait(0)


def test_a_signal_that_does_not_end_the_wait_is_heard_while_it_pauses() -> None:
    pace = Pace(1, paused=True, now=Steady())
    ended_by: list[str] = []

    def end(why: str) -> None:
        ended_by.append(why)
        pace.stop()

    rescue = threading.Timer(PATIENCE_S, end, ["nothing"])
    rescue.start()
    with (
        handler(signal.SIGTERM, threading.Thread(target=end, args=["the signal"]).start),
        unnoticed_signal(signal.SIGTERM, "wait"),
    ):
        assert not pace.wait(NS)
    rescue.cancel()
    assert ended_by == ["the signal"]
