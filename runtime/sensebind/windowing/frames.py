# SPDX-License-Identifier: Apache-2.0
"""Windows of frame streams (camera, depth, thermal).

Trigger "grid": the newest frame at kH, if it is not too old. Trigger "frame": the first frame of
each cell [kH, (k+1)H) as soon as it is settled. Encoders of several frames take, for each
position p in the window, the newest frame at its end less (1 - p) L.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median_low
from typing import TYPE_CHECKING

import numpy as np

from sensebind.grid import MAX_STAMP_NS, NS_PER_S
from sensebind.types import Frame, FrameBlock, Window
from sensebind.windowing.arrival import ArrivalOrder
from sensebind.windowing.counters import StreamCounters

if TYPE_CHECKING:
    from sensebind.windowing.rules import FrameRules

PERIODS_REMEMBERED = 8
SLOWEST_PERIOD_NS = 10 * NS_PER_S
"""A pause is no frame period: slower cameras state their `max_age_s`."""
_NO_STAMPS = np.empty(0, np.int64)
_NO_VALUES = np.empty((0, 0))


@dataclass(slots=True)
class _Seen:
    stamp_ns: int
    frame: Frame
    period_ns: int
    used: bool = False


class FrameWindower:
    """Chooses the frames of one stream to encode, by their stamps alone."""

    def __init__(self, stream: str, rules: FrameRules) -> None:
        """Start an empty stream."""
        self.counters = StreamCounters()
        self._stream = stream
        self._rules = rules
        self._order: ArrivalOrder[Frame] = ArrivalOrder(rules, self.counters)
        self._offsets = [round((1 - p) * rules.length_ns) for p in rules.positions]
        self._seen: list[_Seen] = []
        self._intervals: list[int] = []
        self._next_k: int | None = None

    def push(self, block: FrameBlock) -> list[Window]:
        """Take one frame and return the windows that closed."""
        self.counters.pushed += 1
        if not 0 <= block.stamp_ns < MAX_STAMP_NS:
            self.counters.invalid += 1
            return []
        windows = []
        if self._order.is_reset(block.stamp_ns):
            windows += self.flush()
            self.counters.resets += 1
        self._order.add(block.stamp_ns, block.frame)
        return windows + self._settle()

    def flush(self) -> list[Window]:
        """End the stream; a last frame that no window has shown gets the next instant."""
        windows = self._settle(all_items=True)
        if self._seen and not self._seen[-1].used and not self._rules.at_frames:
            assert self._next_k is not None
            windows += self._cut(self._next_k * self._rules.hop_ns, after_end=True)
        self._begin_anew()
        return windows

    def break_off(self) -> None:
        """Forget all frames: some were lost here, and what follows does not depend on which."""
        self.counters.unused += len(self._order.settled(all_items=True)[0])
        self._begin_anew()
        self.counters.breaks += 1

    def _begin_anew(self) -> None:
        self._forget(len(self._seen))
        self._intervals.clear()
        self._next_k = None
        self._order.restart()

    def _settle(self, *, all_items: bool = False) -> list[Window]:
        windows = []
        for stamp_ns, frame in zip(*self._order.settled(all_items=all_items), strict=True):
            windows += self._advance(stamp_ns)
            self._remember(stamp_ns, frame)
            if self._rules.at_frames:
                windows += self._trigger(stamp_ns)
        if self._seen and not self._rules.at_frames:
            newest = self._order.newest_ns if all_items else self._order.watermark_ns
            assert newest is not None
            windows += self._advance(newest + 1)
        return windows

    def _advance(self, stamp_ns: int) -> list[Window]:
        """Close the grid instants before a stamp, now that every frame up to them is known."""
        if self._next_k is None or self._rules.at_frames:
            return []
        hop_ns = self._rules.hop_ns
        windows = []
        while self._next_k * hop_ns < stamp_ns:
            grid_ns = self._next_k * hop_ns
            if grid_ns - self._seen[-1].stamp_ns > self._reach_ns(self._seen[-1]):
                self._next_k = -(-stamp_ns // hop_ns)
                break
            windows += self._cut(grid_ns)
            self._next_k += 1
        self._drop_old()
        return windows

    def _trigger(self, stamp_ns: int) -> list[Window]:
        cell = stamp_ns // self._rules.hop_ns
        if self._next_k is not None and cell < self._next_k:
            return []
        self._next_k = cell + 1
        windows = self._cut(stamp_ns)
        self._drop_old()
        return windows

    def _remember(self, stamp_ns: int, frame: Frame) -> None:
        if self._seen:
            self._intervals.append(stamp_ns - self._seen[-1].stamp_ns)
            del self._intervals[:-PERIODS_REMEMBERED]
        elif self._next_k is None and not self._rules.at_frames:
            self._next_k = -(-stamp_ns // self._rules.hop_ns)
        period_ns = median_low(self._intervals) if self._intervals else self._rules.hop_ns
        self._seen.append(_Seen(stamp_ns, frame, min(period_ns, SLOWEST_PERIOD_NS)))

    def _max_age_ns(self, newest: _Seen) -> int:
        return self._rules.max_age_ns or 2 * newest.period_ns

    def _reach_ns(self, newest: _Seen) -> int:
        """How long after a frame its absence is still counted; a longer pause is over."""
        return max(self._rules.hop_ns, self._max_age_ns(newest))

    def _cut(self, grid_ns: int, *, after_end: bool = False) -> list[Window]:
        """Choose the frames of one instant and count what became of it."""
        newest = self._seen[-1]
        chosen = []
        for offset_ns in self._offsets:
            target_ns = grid_ns - offset_ns
            found = next((s for s in reversed(self._seen) if s.stamp_ns <= target_ns), None)
            if found is None:
                self.counters.warming += 1
                return []
            if target_ns - found.stamp_ns > self._max_age_ns(newest):
                self.counters.ending += after_end
                self.counters.gap += not after_end
                return []
            chosen.append(found)
        for seen in chosen:
            seen.used = True
        self.counters.emitted += 1
        start_ns, end_ns = min(s.stamp_ns for s in chosen), max(s.stamp_ns for s in chosen)
        window = Window(
            stream=self._stream,
            grid_ns=grid_ns,
            start_ns=start_ns,
            end_ns=end_ns,
            stamp_ns=end_ns,
            coverage=1.0,
            stamps_ns=_NO_STAMPS,
            values=_NO_VALUES,
            frames=tuple(s.frame for s in chosen),
        )
        return [window]

    def _drop_old(self) -> None:
        """Drop frames that no later instant can choose; the newest always stays."""
        assert self._next_k is not None
        oldest_ns = self._next_k * self._rules.hop_ns - max(self._offsets)
        keep = len(self._seen) - 1
        while keep > 0 and self._seen[keep].stamp_ns > oldest_ns:
            keep -= 1
        self._forget(keep)

    def _forget(self, count: int) -> None:
        used = sum(seen.used for seen in self._seen[:count])
        self.counters.used += used
        self.counters.unused += count - used
        del self._seen[:count]
