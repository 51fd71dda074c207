# SPDX-License-Identifier: Apache-2.0
"""One IMU stream of two: accelerations, interpolated at the stamps of the angular velocities.

`sensebind.joining` has the rule; accelerations more than MAX_INTERVAL_NS apart are not interpolated
between. What becomes of a sample depends on the stamps alone, not on how
samples arrive in blocks or how the two streams alternate, as long as neither is more than
MAX_WAITING samples ahead of the other and the clock does not jump back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from sensebind.joining import accelerations_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Stamps = NDArray[np.int64]
    Values = NDArray[np.float64]

MAX_INTERVAL_NS = 50_000_000
"""Longest spacing of accelerations that is interpolated over: at 63 Hz, the slowest rate of
RealSense accelerometers, it allows two lost samples."""

MAX_WAITING = 10_000
"""Most samples of one half that wait for the other; 25 s at 400 Hz."""

RESET_NS = 1_000_000_000
"""A stamp this far behind the newest of its half is a clock that was set back."""


class Half(IntEnum):
    """The two halves of an IMU."""

    ACCELERATION = 0
    ROTATION = 1


@dataclass(slots=True)
class _Queue:
    """Samples of one half that may still be needed, in stamp order."""

    stamps_ns: Stamps = field(default_factory=lambda: np.empty(0, np.int64))
    values: Values = field(default_factory=lambda: np.empty((0, 3)))
    newest_ns: int | None = None

    def extend(self, stamps_ns: Stamps, values: Values) -> None:
        if len(stamps_ns):
            self.stamps_ns = np.concatenate([self.stamps_ns, stamps_ns])
            self.values = np.concatenate([self.values, values])
            self.newest_ns = int(stamps_ns[-1])

    def drop(self, count: int) -> None:
        self.stamps_ns, self.values = self.stamps_ns[count:], self.values[count:]


class ImuJoiner:
    """Joins two halves, pushed in any order and in blocks of any size.

    Attributes:
        lost: angular velocities that were not joined, and samples not used, by cause.
    """

    def __init__(self) -> None:
        self.lost: Counter[str] = Counter()
        self._queues = (_Queue(), _Queue())

    def push(self, half: Half, stamps_ns: Stamps, values: Values) -> tuple[Stamps, Values]:
        """Take samples of one half, values float64 (n, 3).

        Returns:
            stamps int64 (m,) and values float64 (m, 6), ax ay az gx gy gz, of what is joined now.
        """
        joined = []
        for part in self._rising_parts(half, stamps_ns):
            self._queues[half].extend(stamps_ns[part], values[part])
            joined.append(self._join())
        return (
            np.concatenate([np.empty(0, np.int64), *(stamps for stamps, _ in joined)]),
            np.concatenate([np.empty((0, 6)), *(rows for _, rows in joined)]),
        )

    def flush(self) -> None:
        """End both streams: what still waits is lost."""
        self._lose("after the last acceleration", len(self._queues[Half.ROTATION].stamps_ns))
        self._queues = (_Queue(), _Queue())

    def _lose(self, cause: str, count: int) -> None:
        if count:
            self.lost[cause] += count

    def _rising_parts(self, half: Half, stamps_ns: Stamps) -> list[NDArray[np.intp]]:
        """Places of the samples to take, in parts of rising stamps, a new one at every reset."""
        newest_ns = self._queues[half].newest_ns
        in_order = newest_ns is None or (len(stamps_ns) > 0 and int(stamps_ns[0]) > newest_ns)
        if in_order and bool((np.diff(stamps_ns) > 0).all()):
            return [np.arange(len(stamps_ns))]
        part: list[int] = []
        for place, stamp_ns in enumerate(stamps_ns.tolist()):
            if newest_ns is None or stamp_ns > newest_ns:
                part.append(place)
                newest_ns = stamp_ns
            elif newest_ns - stamp_ns >= RESET_NS:
                self._reset()
                part, newest_ns = [place], stamp_ns
            else:
                self._lose("out of order", 1)
        return [np.array(part, np.intp)]

    def _reset(self) -> None:
        self._lose("clock set back", len(self._queues[Half.ROTATION].stamps_ns))
        self._queues = (_Queue(), _Queue())

    def _join(self) -> tuple[Stamps, Values]:
        """Join the angular velocities that lie before the newest acceleration."""
        accel, gyro = self._queues
        count = 0
        if len(accel.stamps_ns):
            count = int(np.searchsorted(gyro.stamps_ns, accel.stamps_ns[-1], side="right"))
        stamps_ns, rates = gyro.stamps_ns[:count], gyro.values[:count]
        gyro.drop(count)
        kept, accelerations = self._interpolated(stamps_ns)
        self._trim()
        return stamps_ns[kept], np.concatenate([accelerations, rates[kept]], axis=1)

    def _interpolated(self, stamps_ns: Stamps) -> tuple[NDArray[np.bool_], Values]:
        """Which stamps have accelerations close around them, and the lines between these."""
        known = self._queues[Half.ACCELERATION]
        found = accelerations_at(stamps_ns, known.stamps_ns, known.values, MAX_INTERVAL_NS)
        self._lose("before the first acceleration", int((~found.enclosed).sum()))
        self._lose("gap in the accelerations", int((found.enclosed & ~found.near).sum()))
        return found.near, found.values

    def _trim(self) -> None:
        """Forget accelerations no later sample can need, and samples that waited too long."""
        accel, gyro = self._queues
        if gyro.newest_ns is not None:
            next_ns = int(gyro.stamps_ns[0]) if len(gyro.stamps_ns) else gyro.newest_ns
            accel.drop(max(0, int(np.searchsorted(accel.stamps_ns, next_ns, side="right")) - 1))
        self._lose("no acceleration near", max(0, len(gyro.stamps_ns) - MAX_WAITING))
        for queue in self._queues:
            queue.drop(max(0, len(queue.stamps_ns) - MAX_WAITING))
