# SPDX-License-Identifier: Apache-2.0
"""The clock of a recording that is played: faster or slower than real time, or paused."""

from __future__ import annotations

import time
from threading import Condition
from typing import TYPE_CHECKING

from sensebind.flow.signals import HEARING_S
from sensebind.grid import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable


class Pace:
    """When each instant of a recording is due; any thread may call any method.

    Attributes:
        rate: seconds of the recording per second; 0 for as fast as possible.
        stopped: tells whether all waiting ends for good.
    """

    def __init__(
        self,
        rate: float,
        stopped: Callable[[], bool],
        *,
        paused: bool = False,
        now: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Begin before the first instant.

        Args:
            rate: see above.
            stopped: see above; it is asked often.
            paused: whether nothing is due until `pause(False)`.
            now: a clock that is never set, in ns.
        """
        self.rate = rate
        self.stopped = stopped
        self._now = now
        self._changed = Condition()
        self._paused = paused
        # `_played_ns` of the recording were due at `_since_ns`.
        self._begin_ns = 0
        self._played_ns = 0.0
        self._since_ns = now()

    @property
    def paused(self) -> bool:
        """Whether nothing is due at present."""
        return self._paused

    def begin(self, instant_ns: int) -> None:
        """This instant of the recording is due now, or when the pause ends."""
        with self._changed:
            self._begin_ns = instant_ns
            self._played_ns = 0.0
            self._since_ns = self._now()

    def pause(self, paused: bool) -> None:
        """Pause, or go on where the pause began."""
        with self._changed:
            if paused != self._paused:
                self._played_ns = self._due_ns()
                self._since_ns = self._now()
                self._paused = paused
                self._changed.notify_all()

    def wait(self, instant_ns: int) -> bool:
        """Wait until an instant of the recording is due; False if playing was stopped."""
        with self._changed:
            while not self.stopped():
                left_ns = instant_ns - self._begin_ns - self._due_ns()
                if not self._paused and (self.rate == 0 or left_ns <= 0):
                    return True
                left_s = HEARING_S if self._paused else left_ns / self.rate / NS_PER_S
                self._changed.wait(min(left_s, HEARING_S))
            return False

    def _due_ns(self) -> float:
        """How much of the recording is due."""
        if self._paused:
            return self._played_ns
        return self._played_ns + (self._now() - self._since_ns) * self.rate
