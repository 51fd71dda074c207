# SPDX-License-Identifier: Apache-2.0
"""Signals that end a program: noted wherever they come, and heard at once where that is wanted."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from sensebind.errors import Interrupted
from sensebind_ros.program import Ending, run

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Each test begins with the handlers of a new process, and leaves those there were."""
    usual = dict.fromkeys(NUMBERS, signal.SIG_DFL)
    usual[signal.SIGINT] = signal.default_int_handler
    before = {number: signal.signal(number, usual[number]) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_what_is_being_done_is_not_broken_off(number: signal.Signals) -> None:
    ending = Ending()
    assert not ending.asked
    signal.raise_signal(number)
    signal.raise_signal(number)
    assert ending.asked


@pytest.mark.parametrize("number", NUMBERS)
def test_what_may_be_broken_off_is(number: signal.Signals) -> None:
    ending = Ending()
    with pytest.raises(Interrupted), ending.interrupts():
        signal.raise_signal(number)
    assert ending.asked
    signal.raise_signal(number)  # while what was begun is undone


def test_what_may_be_broken_off_does_not_begin_after_a_signal() -> None:
    ending = Ending()
    signal.raise_signal(signal.SIGTERM)
    begun = []
    with pytest.raises(Interrupted), ending.interrupts():
        begun.append(True)
    assert not begun


def test_a_signal_that_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ending = Ending()
    signal.raise_signal(signal.SIGHUP)
    assert not ending.asked
    ending.close()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.parametrize("number", NUMBERS)
def test_a_program_that_a_signal_broke_off_is_done(number: signal.Signals) -> None:
    def program(ending: Ending) -> int:
        with ending.interrupts():
            signal.raise_signal(number)
        return 1

    assert run(program) == 0
    signal.raise_signal(number)  # while the interpreter ends


def test_a_program_ends_with_its_own_code() -> None:
    assert run(lambda _: 3) == 3
