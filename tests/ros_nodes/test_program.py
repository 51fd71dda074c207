# SPDX-License-Identifier: Apache-2.0
"""Signals that end a program: noted wherever they come, and heard at once where that is wanted."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from sensebind.errors import Interrupted
from sensebind_ros.program import Ending, run
from tests.support.running import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Each test begins with none ignored, and leaves the handlers there were."""
    numbers = (*NUMBERS, signal.SIGALRM)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
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


def test_it_is_broken_off_though_a_signal_comes_while_c_code_calls_back() -> None:
    """As in numba's compiler: what is raised there goes nowhere."""
    lost: list[object] = []
    called = ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGTERM))
    before, sys.unraisablehook = sys.unraisablehook, lost.append
    ending = Ending()

    def compile_something() -> None:
        called()
        threading.Event().wait(PATIENCE_S)

    try:
        with pytest.raises(Interrupted), ending.interrupts():
            compile_something()
        assert ending.asked
        assert not lost
        assert sys.unraisablehook == lost.append
    finally:
        sys.unraisablehook = before


def test_what_is_broken_off_may_say_so_in_its_own_words() -> None:
    """As modules of C code whose import is broken off."""

    def import_something() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException as error:
            raise ImportError("initialization failed") from error

    ending = Ending()
    with pytest.raises(Interrupted), ending.interrupts():
        import_something()


def test_an_error_without_a_signal_stays_what_it_is() -> None:
    with pytest.raises(ImportError, match="no such module"), Ending().interrupts():
        raise ImportError("no such module")


def test_what_is_lost_otherwise_is_told() -> None:
    lost: list[Any] = []
    called = ctypes.CFUNCTYPE(None)(lambda: 1 // 0)
    before, sys.unraisablehook = sys.unraisablehook, lost.append
    try:
        with Ending().interrupts():
            called()
        assert [each.exc_type for each in lost] == [ZeroDivisionError]
    finally:
        sys.unraisablehook = before


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
