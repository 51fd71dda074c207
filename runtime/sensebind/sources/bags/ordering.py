# SPDX-License-Identifier: Apache-2.0
"""Putting messages in order while holding only a bounded stretch of the recording.

Every message has an instant at which it leaves. In order of receipt that is its receive time. In
order of stamps it is one second later, or earlier if one of its stream with a stamp up to a second
later leaves earlier; what is further behind was stamped by a clock that was set back, and waits for
its turn. These instants depend on receive times, stamps and the order within a stream alone, and
streams are interleaved by them and by name, so the same messages come out alike from every file
format, whatever its chunks are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from sensebind.types import Break, FrameBlock, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from sensebind.config import Order
    from sensebind.types import Delivery

    Times = NDArray[np.int64]

Piece: TypeAlias = FrameBlock | UniformBlock | Break

HORIZON_NS = 1_000_000_000
"""How far in receive time a message may be overtaken and still be put in its place."""

HELD_BYTES = 64 << 20
"""A frame or sound leaves early once this many bytes of its stream were received after it."""

HELD_MESSAGES = 100_000
"""A message leaves early once this many of its stream were received after it."""

TICK_NS = 100_000_000
"""Readings that leave within the same tenth of a second are passed on together."""

_NEVER_NS = 2**63 - 1


class Readings(NamedTuple):
    """Decoded samples of one stream, in order of receipt.

    Attributes:
        logs_ns: int64 (n,) receive times.
        stamps_ns: int64 (n,) acquisition stamps.
        rows: float64 (n, channels).
    """

    logs_ns: Times
    stamps_ns: Times
    rows: NDArray[np.float64]


class Pieces(NamedTuple):
    """Decoded frames, sounds or breaks of one stream, in order of receipt, with the same times."""

    logs_ns: Times
    stamps_ns: Times
    blocks: list[Piece]


class Sequencer:
    """Takes decoded messages stream by stream and gives blocks in order."""

    def __init__(self, order: Order) -> None:
        self._by_stamp = order == "stamp"
        self._streams: dict[str, _Held] = {}
        self._breaks: dict[str, _Held] = {}

    def add(self, stream: str, content: Readings | Pieces) -> None:
        """Take the next messages of a stream."""
        if len(content.logs_ns):
            held = self._streams.setdefault(stream, _Held(self._by_stamp))
            held.add(content)

    def add_break(self, stream: str, log_ns: int) -> None:
        """Take a break in a stream; no message of it was received at the same time."""
        held = self._breaks.setdefault(stream, _Held(self._by_stamp))
        time_ns = np.array([log_ns], np.int64)
        held.add(Pieces(time_ns, time_ns, [Break(stream)]))

    def release(self, frontier_ns: int = _NEVER_NS) -> Iterator[Delivery]:
        """Give the blocks that are due, knowing that none received before `frontier_ns` follows.

        Only whole ticks are given, so blocks are cut alike however the messages arrived.
        """
        until_ns = frontier_ns
        if frontier_ns != _NEVER_NS:
            until_ns = frontier_ns // TICK_NS * TICK_NS
        released = [
            (name, *held.due(until_ns)) for name, held in sorted(self._streams.items()) if held.size
        ]
        newest_ns = {name: int(part.logs_ns.max()) for name, _, part in released if part}
        for name, held in self._breaks.items():
            released.append((name, *held.due(max(until_ns, newest_ns.get(name, until_ns)))))
        yield from _interleaved([(name, leaves, part) for name, leaves, part in released if part])


@dataclass(slots=True)
class _Held:
    """The messages of one stream that have not left, sorted by receive time."""

    by_stamp: bool
    logs_ns: Times = field(default_factory=lambda: np.empty(0, np.int64))
    stamps_ns: Times = field(default_factory=lambda: np.empty(0, np.int64))
    rows: NDArray[np.float64] | None = None
    blocks: list[Piece] = field(default_factory=list)
    sizes: Times = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def size(self) -> int:
        return len(self.logs_ns)

    def add(self, content: Readings | Pieces) -> None:
        self.logs_ns = np.concatenate([self.logs_ns, content.logs_ns])
        self.stamps_ns = np.concatenate([self.stamps_ns, content.stamps_ns])
        if isinstance(content, Pieces):
            self.blocks.extend(content.blocks)
            sizes = np.array([_bytes(block) for block in content.blocks], np.int64)
            self.sizes = np.concatenate([self.sizes, sizes])
        elif self.rows is None:
            self.rows = content.rows
        else:
            self.rows = np.concatenate([self.rows, content.rows])
        if (self.logs_ns[1:] < self.logs_ns[:-1]).any():
            self._take(np.argsort(self.logs_ns, kind="stable"))

    def due(self, until_ns: int) -> tuple[Times, Readings | Pieces | None]:
        """Take out the messages that leave before an instant, and when each of them does."""
        leaves_ns, early = self._leaving()
        count = max(early, int(np.searchsorted(leaves_ns, until_ns)))
        if until_ns == _NEVER_NS:
            count = self.size
        if count == 0:
            return leaves_ns[:0], None
        if not self.by_stamp or not (self.stamps_ns[1:] < self.stamps_ns[:-1]).any():
            part = self._part(slice(count))
            self._take(slice(count, None))
            return leaves_ns[:count], part
        chosen, instants_ns = _by_stamp(self.logs_ns, self.stamps_ns, leaves_ns[:count])
        part = self._part(chosen)
        staying = np.ones(self.size, bool)
        staying[chosen] = False
        self._take(np.flatnonzero(staying))
        return instants_ns, part

    def _leaving(self) -> tuple[Times, int]:
        """When each message leaves at the latest; how many need not wait for that to be known."""
        leaves_ns = self.logs_ns
        if self.by_stamp:
            leaves_ns = np.minimum(leaves_ns, _NEVER_NS - HORIZON_NS) + HORIZON_NS
        overtaken = np.arange(self.size) + HELD_MESSAGES
        if self.blocks:
            received = np.cumsum(self.sizes)
            overtaken = np.minimum(overtaken, np.searchsorted(received, received + HELD_BYTES))
        early = int(np.searchsorted(overtaken, self.size))
        if early:
            leaves_ns = leaves_ns.copy()
            overtakers_ns = self.logs_ns[overtaken[:early]]
            leaves_ns[:early] = np.minimum(leaves_ns[:early], overtakers_ns)
        return leaves_ns, early

    def _part(self, chosen: slice | NDArray[np.intp]) -> Readings | Pieces:
        logs_ns, stamps_ns = self.logs_ns[chosen], self.stamps_ns[chosen]
        if self.rows is not None:
            return Readings(logs_ns, stamps_ns, self.rows[chosen])
        return Pieces(logs_ns, stamps_ns, _picked(self.blocks, chosen))

    def _take(self, chosen: slice | NDArray[np.intp]) -> None:
        """Keep only these messages, in this order."""
        self.logs_ns, self.stamps_ns = self.logs_ns[chosen], self.stamps_ns[chosen]
        if self.rows is not None:
            self.rows = self.rows[chosen]
        else:
            self.blocks = _picked(self.blocks, chosen)
            self.sizes = self.sizes[chosen]


def _by_stamp(logs_ns: Times, stamps_ns: Times, leaves_ns: Times) -> tuple[NDArray[np.intp], Times]:
    """The order in which messages leave until those of `leaves_ns` have left, and when each does.

    When a message is due, those of its stream that were received by then and have earlier stamps
    leave before it, unless they are further behind than the horizon.
    """
    stamps, logs = stamps_ns.tolist(), logs_ns.tolist()
    present: list[tuple[int, int]] = []  # sorted by stamp, then by order of receipt
    gone = [False] * len(stamps)
    arrived = 0
    order: list[int] = []
    instants_ns: list[int] = []
    for number, due_ns in enumerate(leaves_ns.tolist()):
        while arrived < len(logs) and (arrived <= number or logs[arrived] < due_ns):
            insort(present, (stamps[arrived], arrived))
            arrived += 1
        if gone[number]:
            continue
        begin = bisect_left(present, (stamps[number] - HORIZON_NS, 0))
        end = bisect_right(present, (stamps[number], number))
        for _, each in present[begin:end]:
            gone[each] = True
            order.append(each)
            instants_ns.append(due_ns)
        del present[begin:end]
    return np.array(order, np.intp), np.array(instants_ns, np.int64)


def _interleaved(released: Sequence[tuple[str, Times, Readings | Pieces]]) -> Iterator[Delivery]:
    """Merge what streams release, by instant and name.

    A frame or sound first sends off the readings that leave before it, and so does the end of a
    tick.
    """
    samples = [each for each in released if isinstance(each[2], Readings)]
    cuts: list[tuple[int, str, Piece | None]] = [
        (instant_ns, name, block)
        for name, leaves_ns, part in released
        if isinstance(part, Pieces)
        for instant_ns, block in zip(leaves_ns.tolist(), part.blocks, strict=True)
    ]
    for _, leaves_ns, _ in samples:
        ticks = np.unique(leaves_ns // TICK_NS).tolist()
        cuts.extend(((tick + 1) * TICK_NS, "", None) for tick in ticks)
    cuts.sort(key=lambda cut: cut[:2])
    instants_ns = np.array([min(cut[0], _NEVER_NS) for cut in cuts], np.int64)
    before = [np.searchsorted(leaves_ns, instants_ns) for _, leaves_ns, _ in samples]
    until = [np.searchsorted(leaves_ns, instants_ns, "right") for _, leaves_ns, _ in samples]
    passed = [0] * len(samples)
    for number, (_, cut_name, block) in enumerate(cuts):
        for place, (name, _, part) in enumerate(samples):
            end = int((until if name < cut_name else before)[place][number])
            if end > passed[place]:
                assert isinstance(part, Readings)
                yield _sample_block(name, part, passed[place], end)
                passed[place] = end
        if block is not None:
            yield block
    for place, (name, leaves_ns, part) in enumerate(samples):
        if passed[place] < len(leaves_ns):  # at the end of time, which no tick ends after
            assert isinstance(part, Readings)
            yield _sample_block(name, part, passed[place], len(leaves_ns))


def _sample_block(stream: str, part: Readings, begin: int, end: int) -> SampleBlock:
    return SampleBlock(stream, part.stamps_ns[begin:end], part.rows[begin:end])


def _picked(blocks: list[Piece], chosen: slice | NDArray[np.intp]) -> list[Piece]:
    if isinstance(chosen, slice):
        return blocks[chosen]
    return [blocks[place] for place in chosen.tolist()]


def _bytes(piece: Piece) -> int:
    if isinstance(piece, Break):
        return 0
    return len(piece.frame.data) if isinstance(piece, FrameBlock) else piece.values.nbytes
