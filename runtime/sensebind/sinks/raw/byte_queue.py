# SPDX-License-Identifier: Apache-2.0
"""A bounded queue of byte strings in memory that is allocated once."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Octets = NDArray[np.uint8]

Label = TypeVar("Label")

_ALIGNMENT = 64  # of every entry, so that arrays in it can be used in place


@dataclass(slots=True)
class Entry(Generic[Label]):
    """Bytes in the queue.

    Attributes:
        label: what they are.
        begin: where they begin in the queue's memory.
        size: how many they are.
        taken: how much of the memory they occupy, what had to be skipped before them included.
        ready: whether they have been copied.
    """

    label: Label
    begin: int
    size: int
    taken: int
    ready: bool = False


class ByteQueue(Generic[Label]):
    """Takes bytes from any thread and gives them to one, in the order in which they came.

    Only the place of an entry is found under a lock; its bytes are copied outside of it, so a
    thread with few bytes never waits for one with many.
    """

    def __init__(self, capacity: int) -> None:
        """Allocate the memory, `capacity` bytes, and touch it so that it is really there."""
        self.capacity = capacity
        self._memory = np.empty(capacity, np.uint8)
        self._memory.fill(0)
        self._entries: deque[Entry[Label]] = deque()
        self._end = 0
        self._free = capacity
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes that are occupied."""
        return self.capacity - self._free

    def put(self, label: Label, parts: Sequence[Octets]) -> bool:
        """Copy some bytes; False if there is no room for them.

        Args:
            label: what they are.
            parts: uint8 (n,) arrays; they are put one behind the other, each aligned.
        """
        size = max(sum(_aligned(len(part)) for part in parts), _ALIGNMENT)
        entry = self._reserved(label, size)
        if entry is None:
            return False
        begin = entry.begin
        for part in parts:
            self._memory[begin : begin + len(part)] = part
            begin += _aligned(len(part))
        entry.ready = True
        return True

    def first(self) -> Entry[Label] | None:
        """The oldest entry; None if there is none or it is still being copied."""
        entry = self._entries[0] if self._entries else None
        return entry if entry is not None and entry.ready else None

    def parts(self, entry: Entry[Label], sizes: Sequence[int]) -> list[Octets]:
        """The parts of an entry, by their sizes, as views that end with `drop_first`."""
        views, begin = [], entry.begin
        for size in sizes:
            views.append(self._memory[begin : begin + size])
            begin += _aligned(size)
        return views

    def drop_first(self) -> None:
        """Forget the oldest entry."""
        with self._lock:
            self._free += self._entries.popleft().taken

    def _reserved(self, label: Label, size: int) -> Entry[Label] | None:
        """Room for `size` bytes in one piece; what is left at the memory's end is skipped."""
        with self._lock:
            if not self._entries:
                self._end, self._free = 0, self.capacity
            wraps = self._end + size > self.capacity
            skipped = self.capacity - self._end if wraps else 0
            if skipped + size > self._free:
                return None
            begin = 0 if wraps else self._end
            entry = Entry(label, begin, size, skipped + size)
            self._end = begin + size
            self._free -= entry.taken
            self._entries.append(entry)
            return entry


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
