# SPDX-License-Identifier: Apache-2.0
"""Putting messages in order while holding only a bounded stretch of the recording.

The orders depend on receive times, stamps, stream names and the order within a stream alone, so
the same messages come out alike from every file format and whatever else is selected.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from sensebind.types import FrameBlock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sensebind.sources.cdr import Row
    from sensebind.sources.containers import RawMessage
    from sensebind.types import UniformBlock

HORIZON_NS = 1_000_000_000
"""How far in receive time a message may be overtaken and still be put in its place."""

HELD_BYTES = 256 << 20
"""Most bytes held back for ordering, should a recording's receive times stand still."""

HELD_MESSAGES = 100_000
"""Most messages held back then."""

_LARGEST_TIE = 256


class Item(NamedTuple):
    """A decoded message: its stream, receive time, stamp and content."""

    stream: str
    log_ns: int
    stamp_ns: int
    content: Row | FrameBlock | UniformBlock


Held = tuple[int, int, int, Item]
"""A message held back, led by what it is sorted by: stamp, receive time, order of arrival."""


def by_receive_time(items: Iterable[Item]) -> Iterator[Item]:
    """Settle equal receive times by stream name, then by order of arrival."""
    together: list[Item] = []
    for item in items:
        if together and (item.log_ns != together[0].log_ns or len(together) == _LARGEST_TIE):
            yield from sorted(together, key=_stream) if len(together) > 1 else together
            together.clear()
        together.append(item)
    yield from sorted(together, key=_stream)


def by_stamp(items: Iterable[Item], horizon_ns: int = HORIZON_NS) -> Iterator[Item]:
    """Put each stream's messages in stamp order; streams interleave by receive time.

    A message leaves once the recording is `horizon_ns` of receive time past it, after those of its
    stream with earlier stamps. One that arrives later than that leaves late; the windowing counts
    it. Streams do not hold up or hurry each other, because their stamps may be of other clocks.
    """
    by_stream: dict[str, list[Held]] = {}  # sorted
    waiting: deque[Held] = deque()  # in order of arrival, those that left early too
    held_bytes = 0
    for number, item in enumerate(by_receive_time(items)):
        while waiting and (
            abs(item.log_ns - waiting[0][1]) >= horizon_ns
            or held_bytes > HELD_BYTES
            or len(waiting) > HELD_MESSAGES
        ):
            for released in _up_to(waiting.popleft(), by_stream):
                held_bytes -= _pixel_bytes(released)
                yield released
        held = (item.stamp_ns, item.log_ns, number, item)
        insort(by_stream.setdefault(item.stream, []), held)
        waiting.append(held)
        held_bytes += _pixel_bytes(item)
    while waiting:
        yield from _up_to(waiting.popleft(), by_stream)


def nearly_sorted(
    messages: Iterable[RawMessage], horizon_ns: int = HORIZON_NS
) -> Iterator[RawMessage]:
    """Sort a file written almost in order of receipt; equal times keep the file's order."""
    heap: list[tuple[int, int, RawMessage]] = []
    held_bytes = 0
    newest_ns: int | None = None
    for number, message in enumerate(messages):
        newest_ns = message.log_ns if newest_ns is None else max(newest_ns, message.log_ns)
        heappush(heap, (message.log_ns, number, message))
        held_bytes += len(message.data)
        while heap and (
            heap[0][0] <= newest_ns - horizon_ns
            or held_bytes > HELD_BYTES
            or len(heap) > HELD_MESSAGES
        ):
            released = heappop(heap)[2]
            held_bytes -= len(released.data)
            yield released
    while heap:
        yield heappop(heap)[2]


def _up_to(due: Held, by_stream: dict[str, list[Held]]) -> list[Item]:
    """Take out a message that is due and those of its stream that belong before it."""
    stream = by_stream[due[3].stream]
    count = bisect_right(stream, due)
    released = [held[3] for held in stream[:count]]
    del stream[:count]
    return released


def _pixel_bytes(item: Item) -> int:
    content = item.content
    return len(content.frame.data) if isinstance(content, FrameBlock) else 0


def _stream(item: Item) -> str:
    return item.stream
