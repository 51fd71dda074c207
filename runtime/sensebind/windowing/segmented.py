# SPDX-License-Identifier: Apache-2.0
"""What streams that are cut into segments share: when a segment's windows are closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import count
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from sensebind.windowing.counters import StreamCounters

if TYPE_CHECKING:
    from sensebind.types import Window

_NUMBERS = count(1)
"""Of all streams: a preprocessor must not take another stream's window for one of its own."""


def next_segment_number() -> int:
    """A number that no other segment of this process has."""
    return next(_NUMBERS)


class Segment(Protocol):
    """A stretch of a stream without reset or long gap, and its next window.

    Attributes:
        k: index of the next window; it ends at k hops.
        used: samples inside the span of at least one emitted window.
        accepted: samples that belong to the segment.
    """

    k: int
    used: int

    @property
    def accepted(self) -> int:
        """Samples that belong to the segment."""
        ...

    def can_close(self) -> bool:
        """Whether all that the next window needs is there."""
        ...

    def is_touched(self) -> bool:
        """Whether the next window's span holds some of the segment."""
        ...

    def finish(self) -> None:
        """Settle what waited for more samples; there are none."""
        ...

    def trim(self) -> None:
        """Drop what no later window can need."""
        ...


S = TypeVar("S", bound=Segment)


class SegmentedWindower(ABC, Generic[S]):
    """Closes the windows of the current segment, while it grows and when it ends."""

    def __init__(self, stream: str, hop_ns: int) -> None:
        """Start an empty stream."""
        self.counters = StreamCounters()
        self._stream = stream
        self._hop_ns = hop_ns
        self._segment: S | None = None
        self._broken = False

    def break_off(self) -> None:
        """Give up what is open: samples were lost here, and what follows is a new segment.

        No window is closed early because of it, and none holds samples of both sides. So what is
        emitted afterwards does not depend on what was lost.
        """
        segment, self._segment = self._segment, None
        if segment is not None:
            self._settle_counts(segment)
        self._broken = True
        self.counters.breaks += 1

    @abstractmethod
    def _cut(self, segment: S, *, before_gap: bool) -> list[Window]:
        """Cut the segment's next window and count what became of it."""

    def _close_windows(self) -> list[Window]:
        segment = self._segment
        assert segment is not None
        windows = []
        while segment.can_close():
            windows += self._cut(segment, before_gap=True)
        segment.trim()
        return windows

    def _end_segment(self, next_start_ns: int | None) -> list[Window]:
        """Close the windows that still touch the segment with the samples there are.

        Args:
            next_start_ns: where the next segment of the same clock begins; later windows are its.
        """
        segment = self._segment
        if segment is None:
            return []
        self._segment = None
        segment.finish()
        windows = []
        while segment.is_touched() and (
            next_start_ns is None
            or segment.k * self._hop_ns <= next_start_ns
            or segment.can_close()
        ):
            windows += self._cut(segment, before_gap=next_start_ns is not None)
        self._settle_counts(segment)
        return windows

    def _settle_counts(self, segment: S) -> None:
        self.counters.used += segment.used
        self.counters.unused += segment.accepted - segment.used

    def _follows_break(self) -> bool:
        """Whether the segment that begins now is the first one behind a break."""
        broken, self._broken = self._broken, False
        return broken
