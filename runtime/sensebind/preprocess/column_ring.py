# SPDX-License-Identifier: Apache-2.0
"""The newest columns of growing features: what overlapping windows of a stream share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ColumnRing:
    """The newest columns of one segment (frames of sound, points of motion), in order."""

    def __init__(self, rows: int, capacity: int) -> None:
        """Hold up to `capacity` columns of `rows` numbers."""
        self._columns = np.empty((rows, capacity), dtype=np.float32)
        self._segment = -1
        self._origin = 0  # column of the segment in the first place
        self._first = 0
        self._end = 0

    def begin_at(self, segment: int, first: int) -> int:
        """Forget the columns before `first` of a segment; how many from there on are held."""
        held = segment >= 0 and segment == self._segment and self._first <= first <= self._end
        if not held:
            self._origin = self._end = first
        self._segment, self._first = segment, first
        return self._end - first

    def extend(self, count: int) -> NDArray[np.float32]:
        """Places (rows, count) to write the next columns into."""
        if self._end + count - self._origin > self._columns.shape[1]:
            kept = self.columns(self._end - self._first).copy()
            self._columns[:, : kept.shape[1]] = kept
            self._origin = self._first
        at = self._end - self._origin
        self._end += count
        return self._columns[:, at : at + count]

    def columns(self, count: int) -> NDArray[np.float32]:
        """The oldest `count` of the columns that are not forgotten (rows, count), in place."""
        at = self._first - self._origin
        return self._columns[:, at : at + count]
