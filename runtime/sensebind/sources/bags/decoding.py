# SPDX-License-Identifier: Apache-2.0
"""Messages decoded, many of a stream at a time; what cannot be used is counted by cause."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sensebind.clock.counting import ARRIVAL_HOLE_NS, SampleCounter
from sensebind.grid import NS_PER_S
from sensebind.sources.bags.camera_facts import NO_FACTS, CameraFacts
from sensebind.sources.bags.containers import LATEST_NS, Column
from sensebind.sources.bags.ordering import Pieces, Readings
from sensebind.sources.base import StreamKind
from sensebind.sources.messages.cdr import read_imu
from sensebind.sources.messages.imu_batch import read_imu_batch
from sensebind.sources.messages.pcm import NO_FORMAT, Sound, waveform
from sensebind.sources.messages.wire import DecodeError, unpacked_message
from sensebind.types import Frame, FrameBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensebind.sources.bags.containers import Payload
    from sensebind.sources.bags.ordering import Sequencer
    from sensebind.sources.base import SourceReport
    from sensebind.sources.messages.cdr import Row
    from sensebind.sources.messages.pcm import AudioFormat
    from sensebind.sources.messages.senses import Sense
    from sensebind.sources.messages.wire import Wire

    Skip = Callable[[str], None]
    """Counts one message under a cause."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """Turns one stream's messages into readings, frames or sounds.

    Attributes:
        stream: its name.
        sense: its message type.
        wire: its serialization format.
        by_log: whether receive times replace the header stamps.
        audio: how its bytes are sound; None for other streams or if the recording does not say.
        camera: what the recording tells of its camera beside the frames.
        encoding: of its raw pixels, where the messages' own is not to be believed.
        counter: places the blocks of sound that has receive times only, which come in bursts; None
            for all else.
    """

    stream: str
    sense: Sense
    wire: Wire
    by_log: bool = False
    audio: AudioFormat | None = None
    camera: CameraFacts = NO_FACTS
    encoding: str | None = None
    counter: SampleCounter | None = None

    def decode(self, column: Column, skip: Skip) -> Readings | Pieces:
        """Decode consecutive messages; those that cannot be used are skipped by cause."""
        column = in_range(column, skip)
        if self.sense.read is read_imu:
            return self._imu(column, skip)
        readings = self.sense.kind is StreamKind.SAMPLES
        logs_ns: list[int] = []
        stamps_ns: list[int] = []
        rows: list[Row] = []
        blocks: list[FrameBlock | UniformBlock] = []
        for log_ns, data in zip(*column, strict=True):
            try:
                stamp_ns, content = self._read(log_ns, data)
                if isinstance(content, tuple):
                    rows.append(content)
                else:
                    blocks.append(self._block(stamp_ns, content))
            except DecodeError as error:
                skip(str(error))
                continue
            logs_ns.append(log_ns)
            stamps_ns.append(stamp_ns)
        times = np.array(logs_ns, np.int64), np.array(stamps_ns, np.int64)
        if readings:
            return Readings(*times, np.array(rows, np.float64))
        return Pieces(*times, [*blocks])

    def _imu(self, column: Column, skip: Skip) -> Readings:
        batch = read_imu_batch(column.data, self.wire)
        for fault in batch.faults:
            skip(fault)
        logs_ns = np.array(column.logs_ns, np.int64)[batch.kept]
        if self.by_log:
            return Readings(logs_ns, logs_ns, batch.rows)
        stamped = batch.stamps_ns != 0
        if stamped.all():
            return Readings(logs_ns, batch.stamps_ns, batch.rows)
        for _ in range(int((~stamped).sum())):
            skip("stamp 0")
        return Readings(logs_ns[stamped], batch.stamps_ns[stamped], batch.rows[stamped])

    def _read(self, log_ns: int, data: Payload) -> tuple[int, Row | Frame | Sound]:
        stamp_ns, content = self.sense.read(unpacked_message(data), self.wire)
        if self.by_log:
            return log_ns, content
        if stamp_ns == 0:
            raise DecodeError("stamp 0")
        return stamp_ns, content

    def _block(self, stamp_ns: int, content: Frame | Sound) -> FrameBlock | UniformBlock:
        if isinstance(content, Frame):
            return FrameBlock(self.stream, stamp_ns, self._with_facts(content))
        layout = self.audio or content.layout
        if layout is None:
            raise DecodeError(NO_FORMAT)
        samples = waveform(content.octets, layout)
        rates_hz = layout.rate_hz, content.clock_rate_hz
        block = UniformBlock(self.stream, stamp_ns, rates_hz[0], samples, rates_hz[1])
        return block if self.counter is None else _counted(block, self.counter)

    def _with_facts(self, frame: Frame) -> Frame:
        if self.encoding is not None and frame.step:
            frame = replace(frame, encoding=self.encoding)
        return self.camera.told_of(frame)


class Decoding:
    """How the messages of a selection of streams are decoded.

    Attributes:
        topics: the topics to read.
    """

    def __init__(self, decoders: dict[str, Decoder], report: SourceReport) -> None:
        self.topics = list(decoders)
        self._decoders = decoders
        self._report = report

    def pass_on(self, topic: str, column: Column, sequencer: Sequencer) -> None:
        """Decode consecutive messages; those that cannot be used are counted by cause."""
        decoder = self._decoders[topic]
        sequencer.add(topic, decoder.decode(column, lambda cause: self._report.skip(topic, cause)))


def _counted(block: UniformBlock, counter: SampleCounter) -> UniformBlock:
    """A block that was received whole at its stamp, placed by the samples before it."""
    count = len(block.values)
    if not count or block.rate_hz < 1:  # refused later, by name
        return block
    begin_ns = block.stamp_ns - round(count * NS_PER_S / block.rate_hz)
    placed_ns = counter.place(begin_ns, count, block.rate_hz, ARRIVAL_HOLE_NS)
    return replace(block, stamp_ns=placed_ns, clock_rate_hz=counter.clock_rate_hz)


def in_range(column: Column, skip: Skip) -> Column:
    """The messages whose receive times an int64 holds; MCAP times are unsigned."""
    if not column.logs_ns or max(column.logs_ns) <= LATEST_NS:
        return column
    kept = [place for place, log_ns in enumerate(column.logs_ns) if log_ns <= LATEST_NS]
    for _ in range(len(column.logs_ns) - len(kept)):
        skip("receive time out of range")
    return Column([column.logs_ns[k] for k in kept], [column.data[k] for k in kept])
