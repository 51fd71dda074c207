# SPDX-License-Identifier: Apache-2.0
"""A bag of any format as a source: topics become streams, messages become blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.sources.bags.containers import EVERYTHING, within
from sensebind.sources.bags.mcap_file import McapFile
from sensebind.sources.bags.ordering import Sequencer
from sensebind.sources.bags.realsense import DeviceStamped, metadata_topics
from sensebind.sources.bags.receipts import ReceiptKeeper
from sensebind.sources.bags.recorded_topics import RecordedTopics
from sensebind.sources.bags.topics import Topics
from sensebind.sources.finishing import Finishing
from sensebind.sources.session import Session, check_selection
from sensebind.types import Break

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sensebind.config import Order, StreamConfig
    from sensebind.recording import RecordingMetadata
    from sensebind.sources.bags.containers import Container, Span
    from sensebind.sources.bags.decoding import Decoding
    from sensebind.sources.bags.receipts import Receipts
    from sensebind.sources.bags.recorded_decoding import RecordedDecoding
    from sensebind.sources.base import SourceReport, StreamInfo
    from sensebind.sources.time_range import TimeRange
    from sensebind.types import Delivery


class BagSource(Session):
    """Streams of a bag, read in bounded memory."""

    def __init__(
        self,
        path: Path,
        container: Callable[[Path, SourceReport], Container],
        time_range: TimeRange | None = None,
    ) -> None:
        super().__init__(path)
        self._format = container
        self._range = time_range
        self._limits = EVERYTHING
        self._container: Container | None = None
        self._progress = 0.0

    def blocks(self, selected: dict[str, StreamConfig], order: Order) -> Iterator[Delivery]:
        """Yield the blocks of the selected streams, in stamp or receive order.

        Raises:
            SourceError: if a stream is not there or not a sense, or the bag is damaged.
        """
        with self:
            finishing, decoding = self._selected(selected)
            self._begin_counting()
            for delivery in self._ordered(decoding, Sequencer(order)):
                if isinstance(delivery, Break):
                    yield delivery
                elif (block := finishing.push(delivery)) is not None:
                    self._count_block(block)
                    yield block
            finishing.end()
            self._progress = 1.0

    def receipts(self, selected: dict[str, StreamConfig]) -> dict[str, Receipts]:
        """Stamps and receive times of the messages of the selected streams.

        Raises:
            SourceError: if a stream is not there or not a sense, or the bag is damaged.
        """
        with self:
            _, decoding = self._selected(selected)
            kept = ReceiptKeeper()
            for _ in self._ordered(decoding, kept):
                pass
            return kept.receipts()

    @property
    def recorded(self) -> RecordingMetadata | None:
        """How the streams of a recording of ours were windowed; None of other bags."""
        with self:
            recording = _recording(self._container)
            return None if recording is None else recording.recording

    def span(self) -> Span | None:
        """Receive times of the first message and just after the last; None without messages."""
        with self:
            assert self._container is not None
            return self._container.span

    def limit(self, span: Span) -> None:
        """Leave out what was received outside of `span`."""
        self._limits = span

    def progress(self) -> float:
        """Share of the recording read so far, 0..1."""
        return self._progress

    def _open(self) -> None:
        container: Container = self._format(self._path, self.report)
        if metadata_topics(container.topics):
            container = DeviceStamped(container, self.report)
        self._container = container
        self._progress = 0.0

    def _close(self) -> None:
        assert self._container is not None
        self._container.close()
        self._container = None

    def _selected(
        self, selected: dict[str, StreamConfig]
    ) -> tuple[Finishing, Decoding | RecordedDecoding]:
        """How streams are finished, and the messages decoded that they are made of."""
        check_selection(self.streams(), selected)
        assert self._container is not None
        finishing = Finishing(selected, self.streams(), self.report)
        recording = _recording(self._container)
        if recording is not None:
            return finishing, RecordedTopics(recording, self.report).decoding(selected)
        topics = Topics(self._container, self.report)
        return finishing, topics.decoding(selected, finishing.streams)

    def _ordered(
        self, decoding: Decoding | RecordedDecoding, sequencer: Sequencer
    ) -> Iterator[Delivery]:
        assert self._container is not None
        limits = self._limits
        if self._range is not None and self._container.span is not None:
            limits = self._range.within(self._container.span, self.report)
        for stretch in self._container.stretches(decoding.topics, limits):
            for topic, column in stretch.columns.items():
                decoding.pass_on(topic, within(column, limits), sequencer)
            self._progress = self._container.fraction
            yield from sequencer.release(stretch.frontier_ns)
        yield from sequencer.release()

    def _describe(self) -> list[StreamInfo]:
        assert self._container is not None
        recording = _recording(self._container)
        if recording is not None:
            return RecordedTopics(recording, self.report).infos()
        return Topics(self._container, self.report).infos()


def _recording(container: Container | None) -> McapFile | None:
    """The container if it is a recording of ours."""
    if isinstance(container, McapFile) and container.recording is not None:
        return container
    return None
