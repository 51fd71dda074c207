# SPDX-License-Identifier: Apache-2.0
"""A recording read again and again as one long one, for soak tests and measurements."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sensebind.grid import NS_PER_S
from sensebind.sources.base import SourceReport
from sensebind.types import Break, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

    from sensebind.config import Order, StreamConfig
    from sensebind.sources.base import Source, StreamInfo
    from sensebind.types import Block, Delivery


class LoopedSource:
    """A source whose recording begins anew where it ends, with stamps that go on.

    A round is as long as the recording from its first stamp to the end of its last stream, a
    sample's or frame's period included, so that each stream goes on as evenly as it can.

    Attributes:
        name: of the recording.
        report: what the rounds so far met, added up.
    """

    def __init__(self, recorded: Source, rounds: int | None = None) -> None:
        """Read `recorded` `rounds` times; without end if None."""
        self.name = recorded.name
        self.report = SourceReport(notes=recorded.report.notes)
        self._recorded = recorded
        self._rounds = rounds
        self._round = 0

    def __enter__(self) -> Self:
        self._recorded.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._recorded.__exit__(kind, error, trace)

    def streams(self) -> list[StreamInfo]:
        """The recording's streams; counts are those of one round."""
        return self._recorded.streams()

    def blocks(self, selected: dict[str, StreamConfig], order: Order) -> Iterator[Delivery]:
        """Yield the blocks of all rounds; see `Source.blocks`."""
        self._round = shift_ns = 0
        while self._rounds is None or self._round < self._rounds:
            extent = _Extent()
            for block in self._recorded.blocks(selected, order):
                if isinstance(block, Break):
                    yield block
                    continue
                extent.add(block)
                yield shifted(block, shift_ns) if shift_ns else block
            self.report.add(self._recorded.report)
            if extent.length_ns == 0:
                return
            shift_ns += extent.length_ns
            self._round += 1

    def progress(self) -> float:
        """Share of all rounds read so far; of the present round where they have no end."""
        if self._rounds is None:
            return self._recorded.progress()
        return min(1.0, (self._round + self._recorded.progress()) / max(self._rounds, 1))

    def sha256(self) -> str:
        """Hash of the recording's bytes."""
        return self._recorded.sha256()


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
