# SPDX-License-Identifier: Apache-2.0
"""Putting messages in order while holding only a bounded stretch of the recording.

The orders depend on receive times, stamps, stream names and the order within a stream alone, so
the same messages come out alike from every file format and whatever else is selected.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from sensebind.types import FrameBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sensebind.sources.cdr import Row
    from sensebind.types import UniformBlock

HORIZON_NS = 1_000_000_000
"""How far in receive time a message may be overtaken and still be put in its place."""

HELD_BYTES = 256 << 20
"""Most pixels held back for ordering, should a recording's receive times stand still."""

_LARGEST_TIE = 256
_ITEM_BYTES = 256  # an IMU reading and its bookkeeping, roughly

T = TypeVar("T")


class Item(NamedTuple):
    """A decoded message: its stream, receive time, stamp and content."""

    stream: str
    log_ns: int
    stamp_ns: int
    content: Row | FrameBlock | UniformBlock


def by_receive_time(items: Iterable[Item]) -> Iterator[Item]:
    """Settle equal receive times by stream name, then by order of arrival."""
    together: list[Item] = []
    for item in items:
        if together and (item.log_ns != together[0].log_ns or len(together) == _LARGEST_TIE):
            yield from sorted(together, key=_stream)
            together.clear()
        together.append(item)
    yield from sorted(together, key=_stream)


def by_stamp(items: Iterable[Item], horizon_ns: int = HORIZON_NS) -> Iterator[Item]:
    """Put each stream's messages in stamp order; streams interleave by receive time.

    A message leaves once the recording is `horizon_ns` of receive time past it, after those of its
    stream with earlier stamps. One that arrives later than that leaves late; the windowing counts
    it. Streams do not hold up or hurry each other, because their stamps may be of other clocks.
    """
    heaps: dict[str, list[tuple[int, int, int, Item]]] = {}
    waiting: deque[tuple[int, int, int, str]] = deque()  # in order of arrival
    held_bytes = 0
    for number, item in enumerate(by_receive_time(items)):
        while waiting and (
            abs(item.log_ns - waiting[0][1]) >= horizon_ns or held_bytes > HELD_BYTES
        ):
            for released in _up_to(heaps, waiting.popleft()):
                held_bytes -= _weight(released)
                yield released
        key = (item.stamp_ns, item.log_ns, number)
        heappush(heaps.setdefault(item.stream, []), (*key, item))
        waiting.append((*key, item.stream))
        held_bytes += _weight(item)
    while waiting:
        yield from _up_to(heaps, waiting.popleft())


def nearly_sorted(
    items: Iterable[T], key_ns: Callable[[T], int], horizon_ns: int = HORIZON_NS
) -> Iterator[T]:
    """Sort a file written almost in order of `key_ns`; equal keys keep the file's order."""
    heap: list[tuple[int, int, T]] = []
    newest_ns: int | None = None
    for number, item in enumerate(items):
        time_ns = key_ns(item)
        newest_ns = time_ns if newest_ns is None else max(newest_ns, time_ns)
        heappush(heap, (time_ns, number, item))
        while heap[0][0] <= newest_ns - horizon_ns:
            yield heappop(heap)[2]
    while heap:
        yield heappop(heap)[2]


def _up_to(
    heaps: dict[str, list[tuple[int, int, int, Item]]], due: tuple[int, int, int, str]
) -> Iterator[Item]:
    """Take a message that is due and those of its stream that belong before it."""
    heap = heaps[due[3]]
    while heap and heap[0][:3] <= due[:3]:
        yield heappop(heap)[3]


def _weight(item: Item) -> int:
    content = item.content
    return len(content.frame.data) if isinstance(content, FrameBlock) else _ITEM_BYTES


def _stream(item: Item) -> str:
    return item.stream
