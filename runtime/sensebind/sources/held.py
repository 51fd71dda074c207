# SPDX-License-Identifier: Apache-2.0
"""A recording that is held in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.closing import Closing
from sensebind.sources.base import SourceReport
from sensebind.types import Break

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sensebind.config import Order, StreamConfig
    from sensebind.sources.base import StreamInfo
    from sensebind.types import Delivery


class HeldSource(Closing):
    """Blocks at hand as a recording, which may be read again and again.

    Attributes:
        name: of the source.
        report: samples read since `blocks` was called last, and notes.
    """

    def __init__(
        self,
        name: str,
        infos: Sequence[StreamInfo],
        blocks: Sequence[Delivery],
        notes: Sequence[str] = (),
    ) -> None:
        """Hold blocks.

        Args:
            name: of the source.
            infos: the streams of the blocks.
            blocks: in the order in which they are to be read.
            notes: what was odd about them.
        """
        self.name = name
        self.report = SourceReport(notes=list(notes))
        self._infos = list(infos)
        self._blocks = blocks
        self._passed = 0

    def close(self) -> None:
        """Nothing is open."""

    def streams(self) -> list[StreamInfo]:
        """See `Source.streams`."""
        return list(self._infos)

    def blocks(self, selected: dict[str, StreamConfig], order: Order) -> Iterator[Delivery]:
        """See `Source.blocks`; there is one order, in which the blocks were given."""
        del order
        self.report.read.clear()
        for number, block in enumerate(self._blocks, start=1):
            self._passed = number
            if block.stream in selected:
                if not isinstance(block, Break):
                    self.report.count(block.stream, block.count)
                yield block

    def progress(self) -> float:
        """See `Source.progress`."""
        return self._passed / max(len(self._blocks), 1)

    def sha256(self) -> str:
        """See `Source.sha256`: there is no file."""
        return ""
