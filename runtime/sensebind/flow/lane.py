# SPDX-License-Identifier: Apache-2.0
"""The ways from the threads of sources to the worker."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from threading import Condition, Lock
from typing import TYPE_CHECKING

from sensebind.flow.pending import Pending
from sensebind.ring import Arrival, Pushed, StreamRing
from sensebind.types import Break

if TYPE_CHECKING:
    from collections.abc import Mapping
    from threading import Event

    from sensebind.stream_path import StreamPath
    from sensebind.types import Block, Delivery

READ_AHEAD = 32
"""Blocks of a recording that are read before they are needed."""
_PREPARED_AHEAD = 16
"""Windows of a recording that may wait before no further blocks are taken."""
_TOO_LATE = Pushed(kept=False)


class Lane(ABC):
    """Blocks on their way to the worker, and the windows that closed and wait for their turn.

    Attributes:
        name: of the source or stream.
        paths: the streams whose blocks come this way, by name.
        pending: their closed windows.
        ended: whether no more blocks will come; those that wait are still to be taken.
    """

    def __init__(
        self, name: str, paths: Mapping[str, StreamPath], pending: Pending, wake: Event
    ) -> None:
        self.name = name
        self.paths = paths
        self.pending = pending
        self.ended = False
        self._wake = wake

    @abstractmethod
    def take(self) -> Arrival | None:
        """What comes next, for the worker; None if nothing waits."""

    @abstractmethod
    def waiting(self) -> int:
        """Samples that wait in a live stream's ring, blocks of a recording."""

    def has_room(self) -> bool:
        """Whether more windows may come of it; if not, blocks are to be left where they are."""
        return self.pending.has_room()

    @abstractmethod
    def drop(self) -> None:
        """Count what waits as lost."""

    def end(self) -> None:
        """No more will come."""
        self.ended = True
        self._wake.set()


class LiveLane(Lane):
    """The lane of one live stream: its ring."""

    def __init__(self, path: StreamPath, capacity: int, wake: Event) -> None:
        """Make room for so many samples; `wake` is the worker's."""
        super().__init__(path.name, {path.name: path}, Pending.of(path.config), wake)
        self._path = path
        self._ring = StreamRing(capacity)
        self._lock = Lock()

    def push(self, block: Block, receive_ns: int, monotonic_ns: int) -> Pushed:
        """Take a block from the device's thread, which must not wait.

        What still comes after the end, until the device is closed, is counted as overrun.
        """
        with self._lock:
            if self.ended:
                self._path.count_overrun(block.count)
                return _TOO_LATE
            pushed = self._ring.push(block, receive_ns, monotonic_ns)
        if pushed.dropped:
            self._path.count_overrun(pushed.dropped)
        self._wake.set()
        return pushed

    def take(self) -> Arrival | None:
        """See `Lane.take`; its arrays may be read until the next one is taken."""
        with self._lock:
            return self._ring.take()

    def end(self) -> None:
        """See `Lane.end`."""
        with self._lock:  # a block that is being pushed comes before
            super().end()

    def waiting(self) -> int:
        """Samples in the ring."""
        return self._ring.waiting

    def drop(self) -> None:
        """Count what waits as overrun."""
        with self._lock:
            self._path.count_overrun(self._ring.drop())


class RecordedLane(Lane):
    """The lane of a recording: its blocks stay in their order over all streams, and none is lost.

    A recording's blocks are its own to keep, so they are not copied.
    """

    def __init__(self, name: str, paths: Mapping[str, StreamPath], wake: Event) -> None:
        """Start empty; `wake` is the worker's."""
        super().__init__(name, paths, Pending("block", _PREPARED_AHEAD), wake)
        self._blocks: deque[Arrival] = deque()
        self._changed = Condition()
        self._closed = False
        self._filling = True

    def has_room(self) -> bool:
        """See `Lane.has_room`: none until all windows that closed had their turn.

        Blocks that are windowed one after another find the processor's caches warm.
        """
        self._filling = len(self.pending) == 0 or (self._filling and self.pending.has_room())
        return self._filling

    def put(self, delivery: Delivery) -> bool:
        """Take a block as soon as there is room; False if no more are wanted."""
        arrival = Arrival(delivery, None, time.monotonic_ns())
        with self._changed:
            while len(self._blocks) >= READ_AHEAD and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self._blocks.append(arrival)
            first = len(self._blocks) == 1
        if first:  # else the worker is at work, or waits for something else
            self._wake.set()
        return True

    def take(self) -> Arrival | None:
        """See `Lane.take`."""
        with self._changed:
            if not self._blocks:
                return None
            # The reader is woken once there is room for several blocks.
            if len(self._blocks) == READ_AHEAD // 2:
                self._changed.notify()
            return self._blocks.popleft()

    def waiting(self) -> int:
        """Blocks that were read ahead."""
        return len(self._blocks)

    def close(self) -> None:
        """Want no more blocks: `put` returns."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def drop(self) -> None:
        """Count what waits as overrun."""
        with self._changed:
            for arrival in self._blocks:
                if not isinstance(arrival.delivery, Break):
                    path = self.paths[arrival.delivery.stream]
                    path.count_overrun(arrival.delivery.count)
            self._blocks.clear()
