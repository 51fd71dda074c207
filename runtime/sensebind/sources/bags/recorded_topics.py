# SPDX-License-Identifier: Apache-2.0
"""The channels of a recording of ours as streams."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sensebind.recording import BREAK_TOPIC, STREAM_KEY
from sensebind.sources.bags.containers import first_messages
from sensebind.sources.bags.recorded_decoding import RecordedChannel, RecordedDecoding
from sensebind.sources.base import KIND_OF_SENSE, StreamInfo, StreamKind
from sensebind.sources.messages.senses import SENSES
from sensebind.sources.messages.wire import DecodeError

if TYPE_CHECKING:
    from collections.abc import Collection

    from sensebind.recording import RecordedStream
    from sensebind.sources.bags.mcap_file import McapFile
    from sensebind.sources.base import SourceReport


class RecordedTopics:
    """The streams of an open recording of ours."""

    def __init__(self, container: McapFile, report: SourceReport) -> None:
        self._container = container
        self._report = report
        self._recorded = container.recording.streams if container.recording else {}
        self._channels = {
            name: RecordedChannel(topic.metadata[STREAM_KEY], topic)
            for name, topic in container.channels.items()
            if STREAM_KEY in topic.metadata and topic.message_type in SENSES
        }
        self._breaks = [
            name for name, topic in container.channels.items() if topic.name == BREAK_TOPIC
        ]

    def infos(self) -> list[StreamInfo]:
        """Describe the streams that were recorded."""
        infos = {name: _silent(name, stream) for name, stream in self._recorded.items()}
        for name, channel in self._channels.items():
            known = infos.get(channel.stream)
            count = channel.topic.count
            if known is None or known.count == 0:
                infos[channel.stream] = self._info(name, channel)
            else:
                infos[channel.stream] = replace(known, count=known.count + count)
        return list(infos.values())

    def decoding(self, streams: Collection[str]) -> RecordedDecoding:
        """How the messages of some streams, and the breaks in them, are decoded."""
        channels = {name: c for name, c in self._channels.items() if c.stream in streams}
        return RecordedDecoding(channels, self._breaks, streams, self._report)

    def _info(self, name: str, channel: RecordedChannel) -> StreamInfo:
        topic, kind = channel.topic, channel.kind
        recorded = self._recorded.get(channel.stream)
        info = StreamInfo(
            channel.stream,
            kind,
            topic.message_type,
            count=topic.count,
            serial=recorded.serial if recorded else "",
        )
        if kind is StreamKind.SAMPLES:
            return info
        for message in first_messages(self._container, name, 1):
            with suppress(DecodeError):
                return replace(info, encoding=channel.encoding(message.data))
        return info


def _silent(name: str, stream: RecordedStream) -> StreamInfo:
    """A stream that was to be recorded, as it is if nothing came."""
    kind = KIND_OF_SENSE.get(stream.config.modality, StreamKind.OTHER)
    encoding = "F32LE" if kind is StreamKind.UNIFORM else ""
    return StreamInfo(name, kind, "nothing", encoding, count=0)
