# SPDX-License-Identifier: Apache-2.0
"""The newest rows of a growing array: what a windower keeps of its stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from sensebind.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

Scalar = TypeVar("Scalar", bound=np.generic)

_LEAST_ROWS = 64


class Tail(Generic[Scalar]):
    """Rows are added at the end and forgotten at the start; each keeps its index for ever.

    Written rows are never written again: when the store is full, the kept rows move to a new one
    of at least twice their size. So a view stays as it was for as long as it is held, and a row
    is copied a bounded number of times on average, whatever the size of the blocks.

    Attributes:
        start: index of the oldest row kept.
        end: index that the next row will get.
    """

    def __init__(self, columns: int, dtype: DTypeLike) -> None:
        """Start without rows; `start` and `end` are 0."""
        self.start = 0
        self.end = 0
        self._store: NDArray[Scalar] = np.empty((0, columns), dtype)
        self._origin = 0  # index of the store's first row

    def append(self, rows: NDArray[Scalar]) -> None:
        """Copy rows (n, columns) behind the last one.

        Raises:
            InputError: if they have another number of columns or another dtype.
        """
        if rows.dtype != self._store.dtype or rows.shape[1:] != self._store.shape[1:]:
            raise InputError(
                f"rows are {rows.dtype} {rows.shape}, expected {self._store.dtype} "
                f"(n, {self._store.shape[1]})"
            )
        end = self.end + len(rows)
        if end - self._origin > len(self._store):
            self._move(room=end - self.start)
        self._store[self.end - self._origin : end - self._origin] = rows
        self.end = end

    def drop_before(self, index: int) -> None:
        """Forget the rows before an index; an index outside start..end means the nearer of them."""
        self.start = min(max(index, self.start), self.end)

    def view(self, first: int, last: int) -> NDArray[Scalar]:
        """Read-only view (last - first, columns) of rows first..last-1.

        Raises:
            InputError: if some of them are not kept.
        """
        if not self.start <= first <= last <= self.end:
            raise InputError(
                f"rows {first} to {last} were asked for, kept are {self.start} to {self.end}"
            )
        rows = self._store[first - self._origin : last - self._origin]
        rows.flags.writeable = False
        return rows

    def _move(self, *, room: int) -> None:
        """Put the kept rows into a new store with space for twice `room` rows."""
        kept = self.view(self.start, self.end)
        store = np.empty((max(2 * room, _LEAST_ROWS), self._store.shape[1]), self._store.dtype)
        store[: len(kept)] = kept
        self._store, self._origin = store, self.start
