# SPDX-License-Identifier: Apache-2.0
"""A bag of any format as a source: topics become streams, messages become blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.sources.ordering import Sequencer
from sensebind.sources.session import Session, check_selection
from sensebind.sources.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensebind.config import Order, StreamConfig
    from sensebind.sources.base import StreamInfo
    from sensebind.sources.containers import Container
    from sensebind.sources.decoding import Decoding
    from sensebind.types import Block


class BagSource(Session):
    """Streams of a bag, read in bounded memory."""

    def __init__(self, path: Path, container: type[Container]) -> None:
        super().__init__(path)
        self._format = container
        self._container: Container | None = None
        self._progress = 0.0

    def blocks(self, selected: dict[str, StreamConfig], order: Order) -> Iterator[Block]:
        """Yield the blocks of the selected streams, in stamp or receive order.

        Raises:
            SourceError: if a stream is not there or not a sense, or the bag is damaged.
        """
        with self:
            check_selection(self.streams(), selected)
            assert self._container is not None
            decoding = Topics(self._container, self.report).decoding(selected)
            self._begin_counting()
            for block in self._ordered(decoding, Sequencer(order)):
                self._count_block(block)
                yield block
            self._progress = 1.0

    def progress(self) -> float:
        """Share of the recording read so far, 0..1."""
        return self._progress

    def _open(self) -> None:
        self._container = self._format(self._path, self.report)
        self._progress = 0.0

    def _close(self) -> None:
        assert self._container is not None
        self._container.close()
        self._container = None

    def _ordered(self, decoding: Decoding, sequencer: Sequencer) -> Iterator[Block]:
        assert self._container is not None
        for stretch in self._container.stretches(decoding.topics):
            for topic, column in stretch.columns.items():
                sequencer.add(topic, decoding.decode(topic, column))
            self._progress = self._container.fraction
            yield from sequencer.release(stretch.frontier_ns)
        yield from sequencer.release()

    def _describe(self) -> list[StreamInfo]:
        assert self._container is not None
        return Topics(self._container, self.report).infos()
