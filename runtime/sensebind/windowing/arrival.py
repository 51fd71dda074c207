# SPDX-License-Identifier: Apache-2.0
"""Deciding, sample by sample in order of arrival, what is kept: the same for blocks of any size.

The watermark is the newest stamp less the allowed lateness. A sample is kept if its stamp lies
beyond the watermark of the moment it arrives and is not there yet; samples at or before the
watermark are settled, since nothing can come between them any more. A stamp far behind the
newest starts the stream anew.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from sensebind.windowing.counters import StreamCounters
    from sensebind.windowing.rules import WindowRules

Item = TypeVar("Item")


class ArrivalOrder(Generic[Item]):
    """Puts the items of one stream into stamp order within the allowed lateness."""

    def __init__(self, rules: WindowRules, counters: StreamCounters) -> None:
        """Start with nothing seen; `counters` receives late and duplicate items."""
        self._lateness_ns = rules.lateness_ns
        self._reset_ns = rules.reset_ns
        self._counters = counters
        self._stamps: list[int] = []
        self._items: list[Item] = []
        self.newest_ns: int | None = None

    @property
    def watermark_ns(self) -> int:
        """Nothing at or before this stamp is accepted any more."""
        assert self.newest_ns is not None
        return self.newest_ns - self._lateness_ns

    def is_reset(self, stamp_ns: int) -> bool:
        """Tell whether a stamp is so far back that the clock must have been reset."""
        return self.newest_ns is not None and stamp_ns < self.newest_ns - self._reset_ns

    def add(self, stamp_ns: int, item: Item) -> None:
        """Keep an item, or count why not."""
        if self.newest_ns is None or stamp_ns > self.newest_ns:
            self.newest_ns = stamp_ns
            self._stamps.append(stamp_ns)
            self._items.append(item)
            return
        place = bisect_left(self._stamps, stamp_ns)
        if stamp_ns == self.newest_ns:
            self._counters.duplicate += 1
        elif stamp_ns <= self.watermark_ns:
            self._counters.late += 1
        elif self._stamps[place] == stamp_ns:
            self._counters.duplicate += 1
        else:
            self._stamps.insert(place, stamp_ns)
            self._items.insert(place, item)

    def settled(self, *, all_items: bool = False) -> tuple[list[int], list[Item]]:
        """Take out the items no later arrival can precede, in stamp order."""
        count = len(self._stamps)
        if self.newest_ns is not None and not all_items:
            count = bisect_left(self._stamps, self.watermark_ns + 1)
        stamps, items = self._stamps[:count], self._items[:count]
        del self._stamps[:count], self._items[:count]
        return stamps, items

    def restart(self) -> None:
        """Forget the newest stamp: what follows is a new epoch. Items must have been taken."""
        self.newest_ns = None
