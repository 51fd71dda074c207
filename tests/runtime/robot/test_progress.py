# SPDX-License-Identifier: Apache-2.0
"""What is progress, and what the manager hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sensebind.robot.progress import Progress, Watchdog, Work

if TYPE_CHECKING:
    from tests.support.service import Manager

IDLE = Work(encoded=5, windowed=100)
BUSY = Work(encoded=5, windows=1, windowed=100)


@pytest.mark.parametrize(
    ("before", "now", "stuck"),
    [
        (IDLE, IDLE, False),  # nothing to do
        (IDLE, BUSY, False),  # it has just come
        (BUSY, BUSY, True),
        (BUSY, Work(encoded=6, windows=1, windowed=100), False),
        (BUSY, Work(encoded=5, windows=1, windowed=900), True),  # taken up and dropped
        (BUSY, Work(encoded=5, windows=0, windowed=900), True),  # dropped by the next one
        (Work(samples=4), Work(samples=9), True),  # nobody takes samples up
        (Work(samples=4), Work(samples=4, windowed=10), False),
        (Work(samples=4), Work(samples=4, encoded=1), False),  # the policy "block"
    ],
)
def test_what_waited_must_have_been_done(before: Work, now: Work, stuck: bool) -> None:
    assert before.is_stuck_at(now) is stuck


def test_the_manager_hears_of_progress_only(manager: Manager) -> None:
    work = [IDLE, BUSY, BUSY, BUSY, IDLE, Work(encoded=6)]
    told: list[str] = []
    watchdog = Watchdog(manager.notifier, Progress(lambda: work.pop(0)), told.append)
    assert manager.notifier.watchdog_s == 0.2
    for expected in (
        ["WATCHDOG=1"],
        ["WATCHDOG=1"],
        ["STATUS=nothing is encoded of what waits"],
        [],
        [],
        ["WATCHDOG=1", "STATUS=it gets on again"],
    ):
        watchdog.look()
        assert manager.heard() == expected
    assert told == ["nothing is encoded of what waits", "it gets on again"]
    watchdog.close()
