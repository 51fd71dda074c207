# SPDX-License-Identifier: Apache-2.0
"""The clock that all streams of a live run are told in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

REFERENCE_CLOCK = "reference"
"""Name of the clock whose stamps need no mapping."""

_CHECK_NS = 100_000_000
_STEP_NS = 50_000_000
_SLEW = 500e-6
"""Kernels steer the wall clock by at most this (adjtimex(2)); faster than that is a step."""


class ReferenceClock(Protocol):
    """What time it is for a run.

    With simulated time it is the simulation's clock; stamps of the simulation need no mapping then.
    """

    def now_ns(self) -> int:
        """Nanoseconds since the clock's epoch; never runs backwards."""
        ...


class SystemClock:
    """Wall time when it was made, advanced by the monotonic clock.

    So it has the epoch of everybody's stamps, but neither steps nor slews when the wall clock is
    set while the program runs.

    Attributes:
        wall_jumps: how often the wall clock was seen to have been set.
    """

    def __init__(
        self,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Read both clocks; `wall_ns` and `monotonic_ns` are other clocks for tests."""
        self.wall_jumps = 0
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._checked_ns = monotonic_ns()
        self._epoch_ns = self._wall_epoch_ns = wall_ns() - self._checked_ns

    def now_ns(self) -> int:
        """Nanoseconds since 1970 by the wall clock's setting at the start."""
        at_ns = self._monotonic_ns()
        if at_ns - self._checked_ns > _CHECK_NS:
            self._check_wall(at_ns)
        return self._epoch_ns + at_ns

    def _check_wall(self, at_ns: int) -> None:
        epoch_ns = self._wall_ns() - at_ns
        slewed_ns = round(_SLEW * (at_ns - self._checked_ns))
        self.wall_jumps += abs(epoch_ns - self._wall_epoch_ns) > _STEP_NS + slewed_ns
        self._wall_epoch_ns, self._checked_ns = epoch_ns, at_ns
