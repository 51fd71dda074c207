# SPDX-License-Identifier: Apache-2.0
"""A recording held in memory, so that its file costs nothing where something else is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.sources.base import SourceReport

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from sensebind.config import Order, StreamConfig
    from sensebind.sources.base import StreamInfo
    from sensebind.types import Delivery


class HeldSource:
    """Blocks at hand, as a source."""

    name = "held"

    def __init__(self, infos: Sequence[StreamInfo], blocks: Sequence[Delivery]) -> None:
        self.report = SourceReport()
        self._infos = list(infos)
        self._blocks = blocks

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def streams(self) -> list[StreamInfo]:
        """The streams of the blocks."""
        return self._infos

    def blocks(self, selected: dict[str, StreamConfig], order: Order) -> Iterator[Delivery]:
        """Yield the blocks as they are."""
        del order
        return (block for block in self._blocks if block.stream in selected)

    def progress(self) -> float:
        """Not told."""
        return 0.0

    def sha256(self) -> str:
        """No bytes, no hash."""
        return ""
