# SPDX-License-Identifier: Apache-2.0
"""Messages of a recording of ours, read back to the bit.

Nothing is guessed and nothing mended: stamps are those the run had, whatever they are, and so are
samples and pixels.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sensebind.recording import PICTURE_KEY, PictureFacts
from sensebind.sources.bags.decoding import in_range
from sensebind.sources.bags.ordering import Pieces, Readings
from sensebind.sources.base import StreamKind
from sensebind.sources.messages.cdr import read_compressed_parts, read_image_parts
from sensebind.sources.messages.cdr_audio import read_audio_block
from sensebind.sources.messages.imu_batch import read_imu_batch
from sensebind.sources.messages.senses import SENSES, frame_encoding
from sensebind.sources.messages.wire import Cursor, DecodeError
from sensebind.types import Frame, FrameBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from sensebind.sources.bags.containers import Column, Payload, Topic
    from sensebind.sources.bags.ordering import Sequencer
    from sensebind.sources.base import SourceReport

    Skip = Callable[[str], None]
    """Counts one message under a cause."""

_COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"


@dataclass(frozen=True)
class RecordedChannel:
    """One channel: messages of one stream and type, and frames that have these facts in common."""

    stream: str
    topic: Topic
    facts: PictureFacts = field(init=False)

    def __post_init__(self) -> None:
        """Read the facts; damaged ones are none."""
        facts = PictureFacts()
        with suppress(msgspec.MsgspecError):
            facts = PictureFacts.decode(self.topic.metadata.get(PICTURE_KEY, "{}"))
        object.__setattr__(self, "facts", facts)

    @property
    def kind(self) -> StreamKind:
        """How the stream is stamped."""
        return SENSES[self.topic.message_type].kind

    def encoding(self, data: Payload) -> str:
        """What a message tells of the encoding of its frame or sound.

        Raises:
            DecodeError: if it cannot be read.
        """
        if self.kind is StreamKind.FRAMES:
            return frame_encoding(self._picture(data).frame)
        return str(read_audio_block(data, "cdr")[1].layout)

    def decode(self, column: Column, skip: Skip) -> Readings | Pieces:
        """Decode consecutive messages; damaged ones are skipped by cause."""
        column = in_range(column, skip)
        logs_ns = np.array(column.logs_ns, np.int64)
        if self.kind is StreamKind.SAMPLES:
            batch = read_imu_batch(column.data, "cdr")
            for fault in batch.faults:
                skip(fault)
            return Readings(logs_ns[batch.kept], batch.stamps_ns, batch.rows)
        read = self._picture if self.kind is StreamKind.FRAMES else self._sound
        kept: list[int] = []
        blocks: list[FrameBlock | UniformBlock] = []
        for place, data in enumerate(column.data):
            try:
                blocks.append(read(data))
            except DecodeError as error:
                skip(str(error))
                continue
            kept.append(place)
        stamps_ns = np.array([block.stamp_ns for block in blocks], np.int64)
        return Pieces(logs_ns[kept], stamps_ns, [*blocks])

    def _picture(self, data: Payload) -> FrameBlock:
        facts = self.facts
        if self.topic.message_type == _COMPRESSED_IMAGE:
            stamp_ns, encoding, octets = read_compressed_parts(data, "cdr")
            size = facts.width, facts.height, facts.step, facts.big_endian
            frame = Frame(octets, encoding, *size, facts.scale, facts.focal_px)
        else:
            stamp_ns, frame = read_image_parts(data, "cdr")
            frame = replace(frame, scale=facts.scale, focal_px=facts.focal_px)
        return FrameBlock(self.stream, stamp_ns, frame)

    def _sound(self, data: Payload) -> UniformBlock:
        stamp_ns, sound = read_audio_block(data, "cdr")
        assert sound.layout is not None
        values = np.frombuffer(sound.octets, "<f4").astype(np.float32, copy=False)
        if values.size % sound.layout.channels:
            raise DecodeError("no whole number of samples")
        shaped = values.reshape(-1, sound.layout.channels)
        return UniformBlock(
            self.stream, stamp_ns, sound.layout.rate_hz, shaped, sound.clock_rate_hz
        )


class RecordedDecoding:
    """How the messages of a selection of streams are decoded.

    Attributes:
        topics: names of the channels to read.
    """

    def __init__(
        self,
        channels: Mapping[str, RecordedChannel],
        breaks: Iterable[str],
        streams: Collection[str],
        report: SourceReport,
    ) -> None:
        self.topics = [*channels, *breaks]
        self._channels = channels
        self._streams = streams
        self._report = report

    def pass_on(self, topic: str, column: Column, sequencer: Sequencer) -> None:
        """Decode consecutive messages; those that cannot be used are counted by cause."""
        channel = self._channels.get(topic)
        if channel is not None:
            stream = channel.stream
            skip: Skip = lambda cause: self._report.skip(stream, cause)  # noqa: E731
            sequencer.add(stream, channel.decode(column, skip))
            return
        for log_ns, data in zip(*in_range(column, _ignore), strict=True):
            with suppress(DecodeError):
                stream = Cursor(data, "cdr").text()
                if stream in self._streams:
                    sequencer.add_break(stream, log_ns)


def _ignore(_cause: str) -> None:
    """A damaged break is none; its message is of no stream that could count it."""
