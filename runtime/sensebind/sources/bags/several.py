# SPDX-License-Identifier: Apache-2.0
"""Several recordings as one source.

They are read one after another, in order of their first messages (plain files: as given). A stream
of the same name in two of them is one stream. Streams are windowed one by one on a grid they share,
so recordings made side by side (a camera in one, an IMU in the other) give the same embeddings as
one recording of both.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from sensebind.errors import SourceError
from sensebind.recording import RecordingMetadata
from sensebind.sources.bags.containers import joined_span
from sensebind.sources.bags.source import BagSource
from sensebind.sources.base import SourceReport, StreamInfo, StreamKind
from sensebind.sources.imu_pairs import with_asked_for
from sensebind.sources.session import Shared, check_selection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sensebind.config import Order, StreamConfig
    from sensebind.sources.base import Source
    from sensebind.sources.time_range import TimeRange
    from sensebind.types import Delivery


class SeveralSources(Shared):
    """Recordings in a row; names and hashes of all are joined by " + "."""

    def __init__(self, sources: Sequence[Source], time_range: TimeRange | None = None) -> None:
        super().__init__()
        self.name = " + ".join(source.name for source in sources)
        self.report = SourceReport()
        self._sources = list(sources)
        self._range = time_range
        self._stack = ExitStack()
        self._done = 0

    def _open(self) -> None:
        with ExitStack() as stack:
            for source in self._sources:
                stack.enter_context(source)
            self._stack = stack.pop_all()

    def _close(self) -> None:
        self._stack.close()

    def streams(self) -> list[StreamInfo]:
        """List the streams of all recordings, sorted by name.

        Raises:
            SourceError: if streams of one name are of different kinds.
        """
        infos: dict[str, StreamInfo] = {}
        with self:
            for source in self._sources:
                for info in source.streams():
                    known = infos.get(info.name)
                    infos[info.name] = info if known is None else _joined(known, info)
            self._gather()
        return [infos[name] for name in sorted(infos)]

    @property
    def recorded(self) -> RecordingMetadata | None:
        """How the streams were windowed, if all recordings are ours; see `BagSource.recorded`."""
        known = [each.recorded for each in self._sources if isinstance(each, BagSource)]
        ours = [recording for recording in known if recording is not None]
        if len(ours) < len(self._sources):
            return None
        streams = {name: stream for each in reversed(ours) for name, stream in each.streams.items()}
        return RecordingMetadata(version=ours[0].version, streams=streams)

    def blocks(self, selected: dict[str, StreamConfig], order: Order) -> Iterator[Delivery]:
        """Yield the blocks of the selected streams, recording by recording.

        Raises:
            SourceError: if a stream is in none of them, or a recording is damaged.
        """
        with self:
            check_selection(self.streams(), selected)
            sources = self._in_order()
            self._done = 0
            for source in sources:
                infos = with_asked_for(source.streams(), selected)
                usable = {info.name for info in infos if info.kind is not StreamKind.OTHER}
                mine = {name: config for name, config in selected.items() if name in usable}
                if mine:
                    yield from source.blocks(mine, order)
                self._done += 1
                self._gather()

    def progress(self) -> float:
        """Share of the recordings read so far, 0..1."""
        done = sum(source.progress() for source in self._sources)
        return max(self._done, done) / len(self._sources)

    def sha256(self) -> str:
        """Hashes of all recordings, in the order of the names."""
        return " + ".join(source.sha256() for source in self._sources)

    def _in_order(self) -> list[Source]:
        """The recordings by their first messages, the time range given to each."""
        spans = {
            number: source.span()
            for number, source in enumerate(self._sources)
            if isinstance(source, BagSource)
        }
        whole = joined_span(list(spans.values()))
        if self._range is not None and whole is not None:
            span = self._range.within(whole, self.report)
            for source in self._sources:
                if isinstance(source, BagSource):
                    source.limit(span)
        begins = {number: span.begin_ns for number, span in spans.items() if span is not None}
        if len(begins) < len(self._sources):
            return self._sources
        return [self._sources[number] for number in sorted(begins, key=lambda k: begins[k])]

    def _gather(self) -> None:
        """Add up the reports of all recordings."""
        self.report.read.clear()
        self.report.skipped.clear()
        for source in self._sources:
            self.report.add(source.report)


def _joined(first: StreamInfo, second: StreamInfo) -> StreamInfo:
    """One stream of two recordings."""
    if first.kind is StreamKind.OTHER or second.kind is StreamKind.OTHER:
        return second if first.kind is StreamKind.OTHER else first
    if first.kind is not second.kind:
        raise SourceError(
            f"stream {first.name!r} is {first.message_type} in one recording and "
            f"{second.message_type} in another; encode these recordings one by one"
        )
    count = -1 if -1 in (first.count, second.count) else first.count + second.count
    return replace(first, count=count, encoding=first.encoding or second.encoding)
