# SPDX-License-Identifier: Apache-2.0
"""Reading a source in tests: everything it can give, and blocks in a form that compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.config import StreamConfig
from sensebind.sources.base import StreamKind, without_breaks
from sensebind.sources.imu_pairs import HALVES, VECTOR
from sensebind.types import Modality, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sensebind.config import Order
    from sensebind.sources.base import Source
    from sensebind.types import Block

_MODALITY = {
    StreamKind.SAMPLES: Modality.IMU,
    StreamKind.FRAMES: Modality.VISION,
    StreamKind.UNIFORM: Modality.AUDIO,
}


def all_streams(source: Source) -> dict[str, StreamConfig]:
    """A selection of every stream that can be encoded by itself."""
    return {
        info.name: StreamConfig(modality=_MODALITY[info.kind])
        for info in source.streams()
        if info.kind in _MODALITY and info.encoding not in (*HALVES, VECTOR)
    }


def read_all(source: Source, order: Order = "stamp") -> list[Block]:
    """All blocks of every stream that can be encoded."""
    return list(without_breaks(source.blocks(all_streams(source), order)))


def reading_notes(source: Source) -> list[str]:
    """The source's notes but for those on what its streams measure; tests count in these."""
    streams = tuple(f"{info.name}: " for info in source.streams())
    return [note for note in source.report.notes if not note.startswith(streams)]


def plain(blocks: Iterable[Block]) -> list[tuple[object, ...]]:
    """Blocks as tuples of their fields' bytes."""
    return [_plain(block) for block in blocks]


def _plain(block: Block) -> tuple[object, ...]:
    if isinstance(block, SampleBlock):
        return block.stream, block.stamps_ns.tobytes(), block.values.tobytes()
    if isinstance(block, UniformBlock):
        return block.stream, block.stamp_ns, block.rate_hz, block.values.tobytes()
    frame = block.frame
    layout = (frame.encoding, frame.width, frame.height, frame.step, frame.big_endian)
    return block.stream, block.stamp_ns, *layout, bytes(frame.data)
