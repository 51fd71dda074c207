# SPDX-License-Identifier: Apache-2.0
"""Blocks of one live stream between the thread of its device and the worker.

A device reuses its memory and cannot wait. So a block is copied, into memory that is allocated
once, and what does not fit makes all that waits be dropped: a window over a hole in the middle of
the waiting samples would be no window, and of those that wait the oldest are the least wanted.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.errors import InputError
from sensebind.types import Break, FrameBlock, SampleBlock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.types import Block, Delivery


_IMU_CHANNELS = 6
"""Accelerations and angular velocities: the one kind of samples without a constant rate."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A block, or a break, and when it came.

    Attributes:
        delivery: what came.
        receive_ns: when, in the reference clock; None for a recording, which is read.
        monotonic_ns: when, by the monotonic clock.
    """

    delivery: Delivery
    receive_ns: int | None
    monotonic_ns: int


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did.

    Attributes:
        dropped: samples that were dropped; if any, a Break stands where they were.
        kept: whether the block is in the ring; one that is larger than the ring is not.
    """

    dropped: int = 0
    kept: bool = True


_PUSHED = Pushed()


class StreamRing:
    """A bounded queue of blocks with memory of its own. Not thread-safe: its owner locks.

    Attributes:
        waiting: samples that wait.
    """

    def __init__(self, capacity: int) -> None:
        """Make room.

        Args:
            capacity: samples (frames, of a camera) that may wait.

        Raises:
            InputError: if there is room for none.
        """
        if capacity < 1:
            raise InputError(f"the capacity of a ring is {capacity} samples, expected at least 1")
        self.waiting = 0
        self._capacity = capacity
        # Each with the place in memory where its rows begin.
        self._arrivals: deque[tuple[Arrival, int]] = deque()
        # What was taken last is still being read: another `capacity` beside those that wait.
        self._memory = _Memory(2 * capacity)

    def push(self, block: Block, receive_ns: int, monotonic_ns: int) -> Pushed:
        """Copy a block, of the form `check_block` asks for; if it does not fit, drop what waits."""
        if self.waiting + block.count <= self._capacity:
            self._append(block, receive_ns, monotonic_ns)
            return _PUSHED
        dropped = self.drop()
        a_break = Arrival(Break(block.stream), receive_ns, monotonic_ns)
        self._arrivals.append((a_break, self._memory.next))
        if block.count > self._capacity:
            return Pushed(dropped + block.count, kept=False)
        self._append(block, receive_ns, monotonic_ns)
        return Pushed(dropped)

    def take(self) -> Arrival | None:
        """The oldest; its arrays may be read until the next one is taken. None if nothing waits."""
        if not self._arrivals:
            return None
        arrival, _ = self._arrivals.popleft()
        if not isinstance(arrival.delivery, Break):
            self.waiting -= arrival.delivery.count
        return arrival

    def drop(self) -> int:
        """Forget all that waits; the number of samples."""
        dropped, self.waiting = self.waiting, 0
        if self._arrivals:
            self._memory.next = self._arrivals[0][1]
            self._arrivals.clear()
        return dropped

    def _append(self, block: Block, receive_ns: int, monotonic_ns: int) -> None:
        begin = self._memory.next
        arrival = Arrival(self._copied(block), receive_ns, monotonic_ns)
        self._arrivals.append((arrival, begin))
        self.waiting += block.count

    def _copied(self, block: Block) -> Block:
        """The same block in our memory; frames live longer than the ring's turn and get theirs."""
        if isinstance(block, FrameBlock):
            if isinstance(block.frame.data, bytes):  # nobody can change them
                return block
            return replace(block, frame=replace(block.frame, data=bytes(block.frame.data)))
        if isinstance(block, SampleBlock):
            stamps_ns, values = self._memory.place(block.stamps_ns, block.values)
            return replace(block, stamps_ns=stamps_ns, values=values)
        (values,) = self._memory.place(block.values)
        return replace(block, values=values)


class _Memory:
    """Rows in a circle, each block of them in one piece.

    With twice the rows that are ever in use, a block that no longer fits before the end can
    begin at the start: the space skipped is less than a block's, which is less than a half.

    Attributes:
        next: where the next block begins, if it fits; set back to take blocks back.
    """

    def __init__(self, rows_in_use: int) -> None:
        self._rows = 2 * rows_in_use
        self._stores: tuple[NDArray[Any], ...] = ()
        self.next = 0

    def place(self, *arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Copies of arrays of equal length."""
        if [_form(store) for store in self._stores] != [_form(array) for array in arrays]:
            # Views of the former stores keep these alive.
            self._stores = tuple(np.empty((self._rows, *a.shape[1:]), a.dtype) for a in arrays)
            self.next = 0
        count = len(arrays[0])
        if self.next + count > self._rows:
            self.next = 0
        begin, self.next = self.next, self.next + count
        views = tuple(store[begin : begin + count] for store in self._stores)
        for view, array in zip(views, arrays, strict=True):
            view[...] = array
        return views


def _form(array: NDArray[Any]) -> tuple[object, ...]:
    return array.dtype, array.shape[1:]


def check_block(block: Block) -> None:
    """Refuse a block with other arrays than its kind has, which may be anything in live use.

    Raises:
        InputError: naming the dtypes and shapes, and what was expected.
    """
    if isinstance(block, FrameBlock):
        return
    arrays: tuple[object, ...]
    if isinstance(block, SampleBlock):
        arrays, expected = (block.stamps_ns, block.values), "int64 (n,) and float64 (n, 6)"
        fits = _is(block.stamps_ns, np.int64, 1) and _is(block.values, np.float64, 2)
        fits = fits and block.values.shape == (len(block.stamps_ns), _IMU_CHANNELS)
    else:
        arrays, expected = (block.values,), "float32 (n, channels)"
        fits = _is(block.values, np.float32, 2) and block.values.shape[1] > 0
    if not fits:
        raise InputError(
            f"block of stream {block.stream!r} has {' and '.join(map(_described, arrays))}, "
            f"expected {expected}"
        )


def _is(array: object, dtype: type[np.generic], axes: int) -> bool:
    return isinstance(array, np.ndarray) and array.dtype == dtype and array.ndim == axes


def _described(array: object) -> str:
    if isinstance(array, np.ndarray):
        return f"{array.dtype} {array.shape}"
    return type(array).__name__
