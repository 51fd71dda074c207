# SPDX-License-Identifier: Apache-2.0
"""A time range of a source that knows stamps only: plain files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sensebind.grid import NS_PER_S
from sensebind.sources.bags.containers import EARLIEST_NS, LATEST_NS
from sensebind.sources.wrapped import WrappedSource
from sensebind.types import Break, FrameBlock, SampleBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensebind.config import Order, StreamConfig
    from sensebind.sources.base import Source
    from sensebind.sources.time_range import TimeRange
    from sensebind.types import Block, Delivery


class Trimmed(WrappedSource):
    """Another source without the samples whose stamps lie outside of a range.

    Times after the begin count from the first stamp of the selected streams.
    """

    def __init__(self, source: Source, time_range: TimeRange) -> None:
        super().__init__(source, source.report)
        self._range = time_range

    def blocks(self, selected: dict[str, StreamConfig], order: Order) -> Iterator[Delivery]:
        """Yield what of the blocks lies in the range; if nothing does, the report says so."""
        limits: tuple[int, int] | None = None
        found = False
        for block in self._source.blocks(selected, order):
            if isinstance(block, Break):
                yield block
                continue
            if limits is None:
                limits = self._limits(block.first_ns)
            part = _part(block, *limits)
            if part is not None:
                found = True
                yield part
        if limits is not None and not found:
            self.report.note(f"{self.name}: nothing of it lies in the time range")

    def _limits(self, first_ns: int) -> tuple[int, int]:
        begin, end = self._range.begin, self._range.end
        begin_ns = begin.at(first_ns) if begin else EARLIEST_NS
        return begin_ns, end.at(first_ns) if end else LATEST_NS


def _part(block: Block, begin_ns: int, end_ns: int) -> Block | None:
    """The samples of a block from one stamp to before another; None if there are none."""
    if isinstance(block, SampleBlock):
        inside = (block.stamps_ns >= begin_ns) & (block.stamps_ns < end_ns)
        if not inside.any():
            return None
        return SampleBlock(block.stream, block.stamps_ns[inside], block.values[inside])
    if isinstance(block, FrameBlock):
        return block if begin_ns <= block.stamp_ns < end_ns else None
    offsets_ns = np.round(np.arange(len(block.values)) * (NS_PER_S / block.rate_hz))
    stamps_ns = block.stamp_ns + offsets_ns.astype(np.int64)
    first, last = np.searchsorted(stamps_ns, [begin_ns, end_ns])
    if first == last:
        return None
    return replace(block, stamp_ns=int(stamps_ns[first]), values=block.values[first:last])
