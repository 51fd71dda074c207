# SPDX-License-Identifier: Apache-2.0
"""A bag's topics as streams: what each is, and how the messages of a selection are decoded."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from sensebind.sources.audio import audio_format, info_topic_of
from sensebind.sources.base import StreamInfo, StreamKind
from sensebind.sources.camera_facts import NO_FACTS, camera_facts
from sensebind.sources.cdr import read_audio_info
from sensebind.sources.containers import first_messages
from sensebind.sources.decoding import Decoder, Decoding
from sensebind.sources.messages import (
    AUDIO_INFO,
    SENSES,
    WIRES,
    Sense,
    content_encoding,
    full_type_name,
)
from sensebind.sources.stamps import PEEKED_MESSAGES, stamp_fault
from sensebind.sources.wire import DecodeError, unpacked_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sensebind.config import StreamConfig
    from sensebind.sources.audio import AudioFormat
    from sensebind.sources.base import SourceReport
    from sensebind.sources.containers import Container, Topic
    from sensebind.sources.wire import Wire

T = TypeVar("T")

_DESCRIBING_MESSAGES = 5  # tried until one can be read


class Topics:
    """The topics of an open bag."""

    def __init__(self, container: Container, report: SourceReport) -> None:
        self._container = container
        self._report = report
        self._topics: Mapping[str, Topic] = {topic.name: topic for topic in container.topics}

    def infos(self) -> list[StreamInfo]:
        """Describe every topic as a stream, usable or not."""
        return [self._info(topic) for topic in self._topics.values()]

    def decoding(self, selected: Mapping[str, StreamConfig]) -> Decoding:
        """How the selected streams, which must be senses, are decoded."""
        return Decoding({name: self._decoder(name) for name in selected}, self._report)

    def _peek(self, topic: str, count: int, read: Callable[[bytes | memoryview], T]) -> Iterator[T]:
        """What `read` makes of a topic's first messages, malformed ones left out."""
        for message in first_messages(self._container, topic, count):
            with suppress(DecodeError):
                yield read(unpacked_message(message.data))

    def _info(self, topic: Topic) -> StreamInfo:
        sense = SENSES.get(full_type_name(topic.message_type))
        note = ""
        if sense is None:
            note = f"{topic.message_type or 'a topic without type'} is not a sense"
        elif topic.wire not in WIRES:
            note = f"its messages are serialized as {topic.wire!r}, expected cdr or ros1"
        if note or sense is None:
            other = StreamKind.OTHER
            return StreamInfo(topic.name, other, topic.message_type, "", topic.count, note)
        encoding = self._encoding(topic, sense) if topic.count else ""
        return StreamInfo(topic.name, sense.kind, topic.message_type, encoding, topic.count)

    def _encoding(self, topic: Topic, sense: Sense) -> str:
        def read(data: bytes | memoryview) -> str:
            return content_encoding(sense, data, WIRES[topic.wire])

        return next(self._peek(topic.name, _DESCRIBING_MESSAGES, read), "")

    def _decoder(self, name: str) -> Decoder:
        topic = self._topics[name]
        sense, wire = SENSES[full_type_name(topic.message_type)], WIRES[topic.wire]
        audio = self._audio_format(name) if sense.kind is StreamKind.UNIFORM else None
        camera = NO_FACTS
        if sense.kind is StreamKind.FRAMES:
            camera = camera_facts(self._container, self._topics, name)
        return Decoder(name, sense, wire, self._unstamped(name, sense, wire), audio, camera)

    def _unstamped(self, name: str, sense: Sense, wire: Wire) -> bool:
        """Whether receive times must replace a stream's stamps; noted where that is a fault."""
        if not sense.stamped:
            return True
        stamps_ns = self._peek(name, PEEKED_MESSAGES, lambda data: sense.read(data, wire)[0])
        fault = stamp_fault(list(stamps_ns))
        if fault:
            self._report.note(f"{name}: {fault}; receive times are used instead")
        return bool(fault)

    def _audio_format(self, name: str) -> AudioFormat | None:
        """How a stream's bytes are sound, from the AudioInfo topic that goes with it."""
        infos = {
            topic.name: topic
            for topic in self._topics.values()
            if full_type_name(topic.message_type) == AUDIO_INFO and topic.wire in WIRES
        }
        info_topic = info_topic_of(name, infos)
        if info_topic is None:
            return None
        wire = WIRES[infos[info_topic].wire]
        info = next(self._peek(info_topic, 1, lambda data: read_audio_info(data, wire)), None)
        try:
            return None if info is None else audio_format(info)
        except DecodeError as error:
            self._report.note(f"{name}: {error}")
            return None
