# SPDX-License-Identifier: Apache-2.0
"""Sources of blocks at hand, and time that passes without being waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.sources.base import StreamInfo, StreamKind
from sensebind.sources.held import HeldSource
from sensebind.types import Break, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from threading import Event

    from sensebind.types import Block, Delivery


class BlockSource(HeldSource):
    """Blocks at hand, whose streams are described by what they hold."""

    def __init__(self, blocks: Sequence[Delivery], name: str = "blocks") -> None:
        found: dict[str, StreamInfo] = {}
        for block in blocks:
            if not isinstance(block, Break):
                found.setdefault(block.stream, _info(block))
        super().__init__(name, list(found.values()), blocks)


def _info(block: Block) -> StreamInfo:
    if isinstance(block, SampleBlock):
        return StreamInfo(block.stream, StreamKind.SAMPLES, "sensor_msgs/msg/Imu")
    if isinstance(block, UniformBlock):
        return StreamInfo(block.stream, StreamKind.UNIFORM, "audio", "S16LE")
    return StreamInfo(block.stream, StreamKind.FRAMES, "frames", block.frame.encoding)


class VirtualTime:
    """A clock, and a waiter for which it is at once as late as it waits for."""

    def __init__(self, now_ns: int = 0) -> None:
        self.time_ns = now_ns

    def now_ns(self) -> int:
        return self.time_ns

    def wait_until(self, due_ns: int, stop: Event) -> None:  # noqa: ARG002
        self.time_ns = max(self.time_ns, due_ns)
