# SPDX-License-Identifier: Apache-2.0
"""How late a bare timer thread is: what the machine adds to every latency, whoever measures it."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import TYPE_CHECKING

from sensebind.metrics.histogram import Histogram

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

RATE_HZ = 400.0
"""That of a usual IMU, whose driver is such a thread."""


class TimerLateness:
    """A thread that does nothing but wake up at a fixed rate; a context manager.

    Attributes:
        lateness: how long after its time it woke up; of a time that was slept through, too.
    """

    def __init__(self, rate_hz: float = RATE_HZ) -> None:
        self.lateness = Histogram()
        self._period_ns = round(1e9 / rate_hz)
        self._over = Event()
        self._thread = Thread(target=self._run, name="timer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        due_ns = time.monotonic_ns()
        while not self._over.is_set():
            due_ns += self._period_ns
            left_ns = due_ns - time.monotonic_ns()
            if left_ns > 0:
                time.sleep(left_ns / 1e9)
            self.lateness.record(time.monotonic_ns() - due_ns)
