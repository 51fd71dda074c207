# SPDX-License-Identifier: Apache-2.0
"""Sources of blocks at hand, and time that passes without being waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.sources.base import SourceReport, StreamInfo, StreamKind
from sensebind.types import SampleBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from threading import Event
    from types import TracebackType

    from typing_extensions import Self

    from sensebind.config import Order, StreamConfig
    from sensebind.types import Block


class BlockSource:
    """A recorded source of the blocks it is given, in the order they are given."""

    def __init__(self, blocks: Sequence[Block], name: str = "blocks") -> None:
        self.name = name
        self.report = SourceReport()
        self._blocks = list(blocks)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def streams(self) -> list[StreamInfo]:
        found: dict[str, StreamInfo] = {}
        for block in self._blocks:
            found.setdefault(block.stream, _info(block))
        return list(found.values())

    def blocks(self, selected: dict[str, StreamConfig], order: Order) -> Iterator[Block]:  # noqa: ARG002
        self.report.read.clear()
        for block in self._blocks:
            if block.stream in selected:
                read = self.report.read.get(block.stream, 0)
                self.report.read[block.stream] = read + block.count
                yield block

    def progress(self) -> float:
        return 0.0

    def sha256(self) -> str:
        return ""


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
