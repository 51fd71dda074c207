# SPDX-License-Identifier: Apache-2.0
"""Gathering single IMU readings into blocks, which are cheaper to pass on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind.types import SampleBlock

if TYPE_CHECKING:
    from sensebind.sources.messages.cdr import Row

ROWS_PER_BLOCK = 64


def sample_block(stream: str, stamps_ns: list[int], rows: list[Row]) -> SampleBlock:
    """One block from stamps in ns and rows of equal length."""
    return SampleBlock(
        stream, np.array(stamps_ns, dtype=np.int64), np.array(rows, dtype=np.float64)
    )
