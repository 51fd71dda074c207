# SPDX-License-Identifier: Apache-2.0
"""A recording read again and again as one long one, for soak tests and measurements."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sensebind.grid import NS_PER_S
from sensebind.sources.base import SourceReport
from sensebind.sources.wrapped import WrappedSource
from sensebind.types import Break, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensebind.config import Order, StreamConfig
    from sensebind.sources.base import Source
    from sensebind.types import Block, Delivery


class LoopedSource(WrappedSource):
    """A source whose recording begins anew where it ends, with stamps that go on.

    A round is as long as the recording from its first stamp to the end of its last stream, a
    sample's or frame's period included, so that each stream goes on as evenly as it can. The counts
    of its streams are those of one round.

    Attributes:
        name: of the recording.
        report: what the rounds so far met, added up.
    """

    def __init__(self, recorded: Source, rounds: int | None = None) -> None:
        """Read `recorded` `rounds` times; without end if None."""
        super().__init__(recorded, SourceReport(notes=recorded.report.notes))
        self._rounds = rounds
        self._round = 0

    def blocks(self, selected: dict[str, StreamConfig], order: Order) -> Iterator[Delivery]:
        """Yield the blocks of all rounds; see `Source.blocks`."""
        self._round = shift_ns = 0
        while self._rounds is None or self._round < self._rounds:
            extent = _Extent()
            for block in self._source.blocks(selected, order):
                if isinstance(block, Break):
                    yield block
                    continue
                extent.add(block)
                yield shifted(block, shift_ns) if shift_ns else block
            self.report.add(self._source.report)
            if extent.length_ns == 0:
                return
            shift_ns += extent.length_ns
            self._round += 1

    def progress(self) -> float:
        """Share of all rounds read so far; of the present round where they have no end."""
        if self._rounds is None:
            return self._source.progress()
        return min(1.0, (self._round + self._source.progress()) / max(self._rounds, 1))


def shifted(block: Block, by_ns: int) -> Block:
    """The block with later stamps."""
    if isinstance(block, SampleBlock):
        return replace(block, stamps_ns=block.stamps_ns + by_ns)
    return replace(block, stamp_ns=block.stamp_ns + by_ns)


def last_ns(block: Block) -> int:
    """Stamp of its last sample."""
    if isinstance(block, SampleBlock):
        return int(block.stamps_ns[-1])
    if isinstance(block, UniformBlock):
        return block.stamp_ns + round((len(block.values) - 1) * NS_PER_S / block.rate_hz)
    return block.stamp_ns


class _Extent:
    """From the first stamp of all streams to where the last of them would go on."""

    def __init__(self) -> None:
        self._streams: dict[str, tuple[int, int, int]] = {}  # first stamp, last stamp, samples

    def add(self, block: Block) -> None:
        if block.count == 0:
            return
        begin, end = block.first_ns, last_ns(block)
        first, last, count = self._streams.get(block.stream, (begin, end, 0))
        self._streams[block.stream] = (min(first, begin), max(last, end), count + block.count)

    @property
    def length_ns(self) -> int:
        if not self._streams:
            return 0
        ends = [
            last + (last - first) // max(count - 1, 1)
            for first, last, count in self._streams.values()
        ]
        return max(ends) - min(first for first, _, _ in self._streams.values())
