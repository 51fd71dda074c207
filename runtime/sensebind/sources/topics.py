# SPDX-License-Identifier: Apache-2.0
"""A bag's topics as streams: what each is, and how the messages of a selection are decoded."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from sensebind.sources.audio import NO_FORMAT, audio_format, info_topic_of, waveform
from sensebind.sources.base import StreamInfo, StreamKind
from sensebind.sources.batching import batched
from sensebind.sources.cdr import read_audio_info
from sensebind.sources.messages import (
    AUDIO_INFO,
    SENSES,
    WIRES,
    Sense,
    content_encoding,
    full_type_name,
)
from sensebind.sources.ordering import Item
from sensebind.sources.stamps import PEEKED_MESSAGES, stamp_fault
from sensebind.sources.wire import DecodeError, unpacked_message
from sensebind.types import Frame, FrameBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sensebind.config import StreamConfig
    from sensebind.sources.audio import AudioFormat
    from sensebind.sources.base import SourceReport
    from sensebind.sources.containers import Container, RawMessage, Topic
    from sensebind.sources.wire import Wire
    from sensebind.types import Block

T = TypeVar("T")

_DESCRIBING_MESSAGES = 5  # tried until one can be read


@dataclass(frozen=True, slots=True)
class Decoder:
    """Turns one stream's messages into items.

    Attributes:
        sense: the stream's message type.
        wire: its serialization format.
        by_log: whether receive times replace the header stamps.
        audio: how its bytes are sound; None for other streams or if the recording does not say.
    """

    sense: Sense
    wire: Wire
    by_log: bool = False
    audio: AudioFormat | None = None

    def item(self, message: RawMessage) -> Item:
        """Decode a message.

        Raises:
            DecodeError: naming the cause it is to be counted under.
        """
        stamp_ns, content = self.sense.read(unpacked_message(message.data), self.wire)
        if self.by_log:
            stamp_ns = message.log_ns
        elif stamp_ns == 0:
            raise DecodeError("stamp 0")
        whole = content if isinstance(content, tuple) else self._block(message, stamp_ns, content)
        return Item(message.topic, message.log_ns, stamp_ns, whole)

    def _block(
        self, message: RawMessage, stamp_ns: int, content: Frame | memoryview
    ) -> FrameBlock | UniformBlock:
        if isinstance(content, Frame):
            return FrameBlock(message.topic, stamp_ns, content)
        if self.audio is None:
            raise DecodeError(NO_FORMAT)
        samples = waveform(content, self.audio)
        return UniformBlock(message.topic, stamp_ns, self.audio.rate_hz, samples)


class Decoding:
    """How the messages of a selection of streams become blocks.

    Attributes:
        topics: the topics to read, which are more than the streams where one is joined of two.
    """

    def __init__(self, decoders: dict[str, Decoder], report: SourceReport) -> None:
        self.topics = list(decoders)
        self._decoders = decoders
        self._report = report

    def items(self, messages: Iterable[RawMessage]) -> Iterator[Item]:
        """Decode messages one by one; those that cannot be used are counted by cause."""
        for message in messages:
            try:
                yield self._decoders[message.topic].item(message)
            except DecodeError as error:  # noqa: PERF203 - one bad message costs no other
                self._report.skip(message.topic, str(error))

    def blocks(self, items: Iterable[Item]) -> Iterator[Block]:
        """Turn the decoded messages, put in order, into the selected streams' blocks."""
        return batched(items)


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
        for message in islice(self._container.messages([topic]), count):
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
        return Decoder(sense, wire, self._unstamped(name, sense, wire), audio)

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
