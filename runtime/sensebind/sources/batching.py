# SPDX-License-Identifier: Apache-2.0
"""Gathering single IMU readings into blocks, which are cheaper to pass on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind.types import SampleBlock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sensebind.sources.cdr import Row
    from sensebind.sources.ordering import Item
    from sensebind.types import Block

ROWS_PER_BLOCK = 64


def batched(items: Iterable[Item], rows_per_block: int = ROWS_PER_BLOCK) -> Iterator[Block]:
    """Turn ordered messages into blocks; a frame or a sound first sends off all waiting rows."""
    waiting: dict[str, tuple[list[int], list[Row]]] = {}
    for item in items:
        if not isinstance(item.content, tuple):
            yield from _blocks(waiting)
            waiting.clear()
            yield item.content
            continue
        stamps_ns, rows = waiting.setdefault(item.stream, ([], []))
        stamps_ns.append(item.stamp_ns)
        rows.append(item.content)
        if len(rows) >= rows_per_block:
            yield sample_block(item.stream, *waiting.pop(item.stream))
    yield from _blocks(waiting)


def sample_block(stream: str, stamps_ns: list[int], rows: list[Row]) -> SampleBlock:
    """One block from stamps in ns and rows of equal length."""
    return SampleBlock(
        stream, np.array(stamps_ns, dtype=np.int64), np.array(rows, dtype=np.float64)
    )


def _blocks(waiting: dict[str, tuple[list[int], list[Row]]]) -> Iterator[SampleBlock]:
    for stream, (stamps_ns, rows) in waiting.items():
        yield sample_block(stream, stamps_ns, rows)
