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


class Looks:
    """Has waiting end when it has been looked so often whether it should."""

    def __init__(self, count: int) -> None:
        self.left = count

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def due(pace: Pace, instant_ns: int) -> bool:
    """Whether an instant is due now, at the first look."""
    pace.stopped = Looks(1)
    return pace.wait(instant_ns)


def never() -> bool:
    return False


@pytest.mark.parametrize("rate", [0.5, 1.0, 4.0])
def test_instants_are_due_at_their_rate(rate: float) -> None:
    steady = Steady()
    pace = Pace(rate, never, now=steady)
    pace.begin(100 * NS)
    assert due(pace, 100 * NS)
    steady.ns += 2 * NS
    assert due(pace, round((100 + 2 * rate) * NS))
    assert not due(pace, round((100 + 2 * rate) * NS) + 1_000_000)


def test_rate_0_is_as_fast_as_possible() -> None:
    pace = Pace(0, never, now=Steady())
    pace.begin(0)
    assert pace.wait(10**18)


def test_a_pause_does_not_count() -> None:
    steady = Steady()
    pace = Pace(1, never, now=steady)
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


def test_pausing_twice_is_as_once() -> None:
    steady = Steady()
    pace = Pace(1, never, paused=True, now=steady)
    pace.begin(0)
    steady.ns += NS
    pace.pause(True)
    pace.pause(False)
    pace.pause(False)
    assert due(pace, 0)
    assert not due(pace, 1_000_000)


def test_beginning_anew_goes_back() -> None:
    steady = Steady()
    pace = Pace(1, never, now=steady)
    pace.begin(50 * NS)
    steady.ns += 10 * NS
    pace.begin(50 * NS)
    assert due(pace, 50 * NS)
    assert not due(pace, 51 * NS)


@pytest.mark.parametrize("paused", [True, False])
def test_stopping_ends_all_waiting(*, paused: bool) -> None:
    pace = Pace(1, Looks(3), paused=paused, now=Steady())
    pace.begin(0)
    assert not pace.wait(3600 * NS)


def test_a_signal_that_does_not_end_the_wait_is_heard_while_it_pauses() -> None:
    ended_by: list[str] = []
    pace = Pace(1, lambda: bool(ended_by), paused=True, now=Steady())
    rescue = threading.Timer(PATIENCE_S, ended_by.append, ["nothing"])
    rescue.start()
    with (
        handler(signal.SIGTERM, lambda: ended_by.append("the signal")),
        unnoticed_signal(signal.SIGTERM, "wait"),
    ):
        assert not pace.wait(NS)
    rescue.cancel()
    assert ended_by == ["the signal"]
