# SPDX-License-Identifier: Apache-2.0
"""The system's reference clock: wall epoch, monotonic pace, jumps noticed and not followed."""

from __future__ import annotations

import time

from sensebind.clock import SystemClock
from tests.support.clocks import ManualClock

S = 1_000_000_000
MS = 1_000_000
WALL_NS = 1_700_000_000 * S


def clocks() -> tuple[ManualClock, ManualClock, SystemClock]:
    wall, steady = ManualClock(WALL_NS), ManualClock(5 * S)
    return wall, steady, SystemClock(wall.now_ns, steady.now_ns)


def test_tells_wall_time() -> None:
    before = time.time_ns()
    now = SystemClock().now_ns()
    assert before - MS <= now <= time.time_ns() + MS


def test_advances_with_the_monotonic_clock_when_the_wall_clock_is_set() -> None:
    wall, steady, clock = clocks()
    told = []
    for step_ns in (0, 0, -3600 * S, 0, 7 * S, 0):
        steady.advance(S)
        wall.advance(S + step_ns)
        told.append(clock.now_ns())
    assert told == [WALL_NS + n * S for n in range(1, 7)]
    assert clock.wall_jumps == 2


def test_slewing_is_no_jump() -> None:
    wall, steady, clock = clocks()
    for seconds in (1, 10, 3600, 86400):
        steady.advance(seconds * S)
        wall.advance(round(seconds * S * (1 + 400e-6)))
        clock.now_ns()
    assert clock.wall_jumps == 0


def test_looks_at_the_wall_clock_ten_times_a_second_at_most() -> None:
    wall, steady, clock = clocks()
    wall.advance(10 * S)
    for _ in range(10):
        steady.advance(10 * MS)
        clock.now_ns()
    assert clock.wall_jumps == 0
    steady.advance(MS)
    clock.now_ns()
    assert clock.wall_jumps == 1
