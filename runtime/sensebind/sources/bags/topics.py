# SPDX-License-Identifier: Apache-2.0
"""A bag's topics as streams: what each is, and how the messages of a selection are decoded."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from sensebind.clock.counting import SampleCounter
from sensebind.clock.mapping import audio_tolerance_ns
from sensebind.clock.stamps import PEEKED_MESSAGES, stamp_fault
from sensebind.errors import MissingExtraError, SourceError
from sensebind.sources.bags.camera_facts import camera_facts
from sensebind.sources.bags.containers import first_messages
from sensebind.sources.bags.decoding import Decoder, Decoding
from sensebind.sources.bags.device_info import serial_of
from sensebind.sources.base import StreamInfo, StreamKind
from sensebind.sources.imu_pairs import HALVES, pairs_in
from sensebind.sources.messages.cdr_audio import read_audio_info
from sensebind.sources.messages.pcm import (
    CodedAudioError,
    Sound,
    audio_format,
    codec_of,
    info_topic_of,
    layout_with_options,
    not_pcm,
)
from sensebind.sources.messages.records import (
    content_of,
    kind_of,
    may_hold_sense,
    parts_of,
    record_reader,
    sense_in,
)
from sensebind.sources.messages.senses import (
    AUDIO_INFO,
    RECORD_WIRES,
    SENSES,
    WIRES,
    Sense,
    frame_encoding,
    full_type_name,
    is_known_package,
    refusal,
    samples_encoding,
)
from sensebind.sources.messages.wire import DecodeError, unpacked_message
from sensebind.types import Frame, Modality

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sensebind.config import StreamConfig
    from sensebind.sources.bags.camera_facts import CameraFacts
    from sensebind.sources.bags.containers import Container, Topic
    from sensebind.sources.base import SourceReport
    from sensebind.sources.imu_join import Half
    from sensebind.sources.messages.pcm import AudioFormat

T = TypeVar("T")

_DESCRIBING_MESSAGES = 5  # tried until one can be read


class Topics:
    """The topics of an open bag."""

    def __init__(self, container: Container, report: SourceReport) -> None:
        self._container = container
        self._report = report
        self._topics: Mapping[str, Topic] = {topic.name: topic for topic in container.topics}

    def infos(self) -> list[StreamInfo]:
        """Describe every topic as a stream, usable or not, and the IMUs that halves make."""
        infos = [self._info(topic) for topic in self._topics.values()]
        return infos + pairs_in(infos)

    def decoding(
        self,
        selected: Mapping[str, StreamConfig],
        streams: Mapping[str, tuple[str, Half] | None],
    ) -> Decoding:
        """How topics are decoded.

        Args:
            selected: configurations of the streams that were asked for.
            streams: the topics to read, each with the stream it is a half of; None for those that
                are a stream by themselves.

        Raises:
            SourceError: if a topic carries no such half.
        """
        decoders = {
            topic: self._decoder(topic, selected[target[0] if target else topic], target)
            for topic, target in streams.items()
        }
        return Decoding(decoders, self._report)

    def _peek(self, topic: str, count: int, read: Callable[[bytes | memoryview], T]) -> Iterator[T]:
        """What `read` makes of a topic's first messages, malformed ones left out."""
        for message in first_messages(self._container, topic, count):
            with suppress(DecodeError):
                yield read(unpacked_message(message.data))

    def _info(self, topic: Topic) -> StreamInfo:
        sense = self._sense(topic)
        if isinstance(sense, str):
            return _unusable(topic, sense)
        info = StreamInfo(topic.name, sense.kind, topic.message_type, count=topic.count)
        if not topic.count:
            return info
        try:
            encoding = self._encoding(topic, sense)
        except CodedAudioError as error:
            return _unusable(topic, str(error))
        except DecodeError as error:
            return replace(info, on_request=str(error))
        serial = serial_of(self._container, self._topics, topic.name)
        return replace(info, encoding=encoding, on_request=sense.on_request, serial=serial)

    def _sense(self, topic: Topic) -> Sense | str:
        """How a topic's messages are a sense, or why they are none."""
        refused = refusal(topic.message_type)
        if refused:
            return refused
        known = SENSES.get(full_type_name(topic.message_type))
        if known is not None and topic.wire in WIRES:
            return known
        if topic.wire not in RECORD_WIRES and (known or may_hold_sense(topic)):
            expected = ", ".join(RECORD_WIRES)
            return f"its messages are serialized as {topic.wire!r}, expected one of {expected}"
        if topic.count and may_hold_sense(topic):
            return self._sense_by_fields(topic)
        return f"{topic.message_type or 'a topic without type'} is not a sense"

    def _sense_by_fields(self, topic: Topic) -> Sense | str:
        """The sense that a topic's messages have the fields of."""
        name, wire = topic.message_type or "a topic without type", topic.layout
        try:
            read = record_reader(topic)
        except (DecodeError, MissingExtraError) as error:
            return f"{name} cannot be read: {error}"
        records = self._peek(topic.name, _DESCRIBING_MESSAGES, lambda data: read(data, wire))
        found = sense_in(records)
        if found is None:
            return f"{name} is not a sense"
        reason = f"{name} has {parts_of(found)}; such types are read on request only"
        return Sense(
            kind_of(found),
            lambda data, wire: content_of(read(data, wire), found),
            on_request="" if is_known_package(name) else reason,
        )

    def _encoding(self, topic: Topic, sense: Sense) -> str:
        """What a stream's first messages tell of it.

        Raises:
            DecodeError: if it is sound that cannot be decoded as it is described.
        """
        wire = topic.layout
        if sense.kind is StreamKind.UNIFORM:
            layout = self._audio_layout(topic, sense)
            return "" if layout is None else str(layout)
        if sense.kind is StreamKind.SAMPLES:
            messages = list(self._peek(topic.name, _DESCRIBING_MESSAGES, lambda data: data))
            with suppress(DecodeError):
                return samples_encoding(sense, topic.name, messages, wire)
            return ""
        frame = self._first_frame(topic, sense)
        return "" if frame is None else frame_encoding(frame)

    def _first_frame(self, topic: Topic, sense: Sense) -> Frame | None:
        wire = topic.layout
        contents = self._peek(
            topic.name, _DESCRIBING_MESSAGES, lambda data: sense.read(data, wire)[1]
        )
        return next((content for content in contents if isinstance(content, Frame)), None)

    def _audio_layout(self, topic: Topic, sense: Sense) -> AudioFormat | None:
        """How a topic's bytes are sound: from the messages, else from AudioInfo messages.

        Raises:
            DecodeError: if they are coded or their format is unknown.
        """
        wire = topic.layout
        for message in first_messages(self._container, topic.name, 1):
            _, sound = sense.read(unpacked_message(message.data), wire)
            assert isinstance(sound, Sound)
            if sound.layout is not None:
                return sound.layout
            codec = codec_of(sound.octets)
            if codec:
                raise CodedAudioError(not_pcm(codec))
        infos = {
            other.name: other
            for other in self._topics.values()
            if full_type_name(other.message_type) == AUDIO_INFO and other.wire in WIRES
        }
        name = info_topic_of(topic.name, infos)
        if name is None:
            return None
        wire = infos[name].layout
        info = next(self._peek(name, 1, lambda data: read_audio_info(data, wire)), None)
        return None if info is None else audio_format(info)

    def _decoder(self, name: str, config: StreamConfig, target: tuple[str, Half] | None) -> Decoder:
        topic = self._topics[name]
        sense = self._sense(topic)
        assert isinstance(sense, Sense)  # the selection was checked
        if target is not None:
            sense = _half_of(topic, sense, target[1])
        decoder = Decoder(name, sense, topic.layout, self._unstamped(topic, sense))
        if sense.kind is StreamKind.UNIFORM:
            layout = self._chosen_layout(topic, sense, config)
            counter = SampleCounter(audio_tolerance_ns(config.jitter_s)) if decoder.by_log else None
            return replace(decoder, audio=layout, counter=counter)
        if sense.kind is not StreamKind.FRAMES:
            return decoder
        camera = camera_facts(self._container, self._topics, name)
        if config.modality is Modality.DEPTH:
            self._note_camera(name, camera)
        return replace(decoder, camera=camera, encoding=config.format)

    def _chosen_layout(
        self, topic: Topic, sense: Sense, config: StreamConfig
    ) -> AudioFormat | None:
        """The layout the options ask for where they do, else the recording's."""
        try:
            told = self._audio_layout(topic, sense)
        except DecodeError as error:
            told = None
            if config.rate_hz is None:
                self._report.note(f"{topic.name}: {error}")
        return layout_with_options(told, config)

    def _note_camera(self, stream: str, camera: CameraFacts) -> None:
        """Tell what is known of a depth camera from other topics."""
        scale = f"{camera.scale:g} m per count" if camera.scale else ""
        focal = f"focal length {camera.focal_px:.5g} px" if camera.focal_px else ""
        told = ", ".join(text for text in (scale, focal) if text)
        if told:
            self._report.note(f"{stream}: {told}, as the recording tells")

    def _unstamped(self, topic: Topic, sense: Sense) -> bool:
        """Whether receive times must replace a stream's stamps; noted where that is a fault."""
        if not sense.stamped:
            return True
        wire = topic.layout
        stamps_ns = self._peek(topic.name, PEEKED_MESSAGES, lambda data: sense.read(data, wire)[0])
        fault = stamp_fault(list(stamps_ns))
        if fault:
            self._report.note(f"{topic.name}: {fault}; receive times are used instead")
        return bool(fault)


def _half_of(topic: Topic, sense: Sense, half: Half) -> Sense:
    read = sense.halves[half]
    if read is None:
        raise SourceError(
            f"stream {topic.name!r} ({topic.message_type}) cannot be joined into an IMU: it has no "
            f"{HALVES[half]}; name the accelerations' stream first, '/accel+/gyro'"
        )
    return Sense(StreamKind.SAMPLES, read, sense.stamped)


def _unusable(topic: Topic, note: str) -> StreamInfo:
    return StreamInfo(
        topic.name, StreamKind.OTHER, topic.message_type, count=topic.count, note=note
    )
