# SPDX-License-Identifier: Apache-2.0
"""From blocks to serialized ROS messages: what of a recording is not messages, as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.grid import NS_PER_S
from sensebind.sinks.raw import cdr
from sensebind.sinks.raw.channels import AUDIO_BLOCK, COMPRESSED_IMAGE, IMAGE, IMU
from sensebind.sources.base import StreamKind
from sensebind.types import FrameBlock, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensebind.sources.base import StreamInfo
    from sensebind.types import Block


class Stamped(NamedTuple):
    """A serialized message and the stamp of its newest sample in ns."""

    stamp_ns: int
    data: bytes


def message_type_of(info: StreamInfo) -> str:
    """The message type that a stream's blocks become; "" if they become none."""
    if info.kind is StreamKind.FRAMES:
        compressed = info.encoding in (*cdr.COMPRESSED, "png16")
        return COMPRESSED_IMAGE if compressed else IMAGE
    return {StreamKind.SAMPLES: IMU, StreamKind.UNIFORM: AUDIO_BLOCK}.get(info.kind, "")


class BlockWriter:
    """Writes the blocks of one stream."""

    def __init__(self) -> None:
        self._sounded = 0

    def messages(self, block: Block) -> Iterator[Stamped]:
        """The messages of a block, oldest first; stamps that ROS cannot express are left out."""
        if isinstance(block, SampleBlock):
            yield from _readings(block)
        elif isinstance(block, UniformBlock):
            yield from self._sound(block)
        else:
            yield from _frame(block)

    def _sound(self, block: UniformBlock) -> Iterator[Stamped]:
        count, channels = block.values.shape
        last_ns = block.stamp_ns + round((count - 1) * NS_PER_S / block.rate_hz)
        if not cdr.can_express(block.stamp_ns):
            return
        rates_hz = block.rate_hz, block.clock_rate_hz
        head = cdr.audio_head(block.stamp_ns, rates_hz, channels, self._sounded, block.values.size)
        self._sounded += count
        yield Stamped(last_ns, head + np.ascontiguousarray(block.values, "<f4").tobytes())


def _readings(block: SampleBlock) -> Iterator[Stamped]:
    kept = cdr.expressible(block.stamps_ns)
    stamps_ns = block.stamps_ns[kept]
    records = np.empty(len(stamps_ns), cdr.IMU_FIELDS)
    records[:] = cdr.imu_template()
    cdr.put_readings(records, stamps_ns, block.values[kept])
    for stamp_ns, record in zip(stamps_ns.tolist(), records, strict=True):
        yield Stamped(stamp_ns, record.tobytes())


def _frame(block: FrameBlock) -> Iterator[Stamped]:
    if not cdr.can_express(block.stamp_ns):
        return
    frame, octets = block.frame, bytes(block.frame.data)
    write = cdr.compressed_image_head if frame.encoding in cdr.COMPRESSED else cdr.image_head
    yield Stamped(block.stamp_ns, write(block.stamp_ns, frame, len(octets)) + octets)
