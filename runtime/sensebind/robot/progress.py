# SPDX-License-Identifier: Apache-2.0
"""Whether a pipeline does what there is to do."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING

from sensebind.closing import Closing

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensebind.pipeline import Pipeline
    from sensebind.robot.notify import Notifier

UNASKED_S = 10.0
"""How often a service that nobody watches looks at itself: longer than a run of a large engine."""


@dataclass(frozen=True, slots=True)
class Work:
    """How much was done so far, and how much waits.

    Attributes:
        encoded: windows that the engines are done with, well or not.
        windows: those that wait for it, or are being encoded.
        windowed: samples that were taken up.
        samples: samples, or blocks of a recording, that wait for it.
    """

    encoded: int = 0
    windows: int = 0
    windowed: int = 0
    samples: int = 0

    def is_stuck_at(self, now: Work) -> bool:
        """Whether nothing has come of what waited here, seen from later."""
        if now.encoded != self.encoded:
            return False
        return self.windows > 0 or (self.samples > 0 and now.windowed == self.windowed)


def work_of(pipeline: Pipeline) -> Work:
    """The work of a pipeline so far; for other threads than its own."""
    streams = list(pipeline.report.streams.values())
    waiting = pipeline.queues()
    return Work(
        encoded=sum(s.embedded + sum(list(s.failed.values())) for s in streams),
        windows=sum(max(stream.pending_windows, 0) for stream in streams),
        windowed=sum(stream.counters.pushed for stream in streams),
        samples=sum(count for place, count in waiting.items() if place.startswith("in ")),
    )


class Progress:
    """Compares the work at one check with that at the last. One thread checks."""

    def __init__(self, work: Callable[[], Work]) -> None:
        """Begin; `work` tells how it is now."""
        self._work = work
        self._last = Work()
        self.is_stuck = False

    def check(self) -> bool:
        """Whether something was done of what waited at the last check, or nothing did."""
        now = self._work()
        self.is_stuck = self._last.is_stuck_at(now)
        self._last = now
        return not self.is_stuck


class Watchdog(Closing):
    """Tells the service manager, twice as often as it asks, that the pipeline gets on.

    A pipeline that gets nowhere is not vouched for, and the manager restarts the service. Without
    a manager that asks, it only looks.
    """

    def __init__(
        self,
        notifier: Notifier,
        progress: Progress,
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Nothing is looked at before `start`.

        Args:
            notifier: to the manager.
            progress: whether the pipeline gets on.
            tell: takes a line when that changes.
        """
        self._notifier = notifier
        self._progress = progress
        self._tell = tell
        self._over = Event()
        asked_s = notifier.watchdog_s
        self._every_s = UNASKED_S if asked_s is None else asked_s / 2
        self._thread: Thread | None = None

    def start(self) -> None:
        """Look now and then, in a thread."""
        self._thread = Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Look once, and tell."""
        was_stuck = self._progress.is_stuck
        well = self._progress.check()
        if well and self._notifier.watchdog_s is not None:
            self._notifier.watchdog()
        if well == was_stuck:
            line = "it gets on again" if well else "nothing is encoded of what waits"
            self._tell(line)
            self._notifier.status(line)

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._every_s):
            self.look()
