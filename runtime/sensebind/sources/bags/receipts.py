# SPDX-License-Identifier: Apache-2.0
"""When the messages of a bag were received, beside their stamps."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.grid import NS_PER_S
from sensebind.sources.bags.ordering import Pieces, Sequencer
from sensebind.types import UniformBlock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.sources.bags.ordering import Readings

    Times = NDArray[np.int64]


class Receipts(NamedTuple):
    """Times in ns of the messages of one stream, int64 (n,), in order of receipt.

    Attributes:
        stamps_ns: acquisition of the newest sample of a message.
        receive_ns: of its receipt.
    """

    stamps_ns: Times
    receive_ns: Times


class ReceiptKeeper(Sequencer):
    """Keeps the times of decoded messages, and none of their content."""

    def __init__(self) -> None:
        """Begin without any."""
        super().__init__("log")
        self._times: dict[str, list[Receipts]] = {}

    def add(self, stream: str, content: Readings | Pieces) -> None:
        """Take the next messages of a stream."""
        stamps_ns = content.stamps_ns
        if isinstance(content, Pieces):
            stamps_ns = stamps_ns + np.array([_length_ns(b) for b in content.blocks], np.int64)
        self._times.setdefault(stream, []).append(Receipts(stamps_ns, content.logs_ns))

    def receipts(self) -> dict[str, Receipts]:
        """What was kept, by stream."""
        return {name: Receipts(*map(np.concatenate, zip(*parts, strict=True)))
                for name, parts in self._times.items()}  # fmt: skip


def _length_ns(block: object) -> int:
    """From the first sample of a message to behind its last."""
    return round(block.count * NS_PER_S / block.rate_hz) if isinstance(block, UniformBlock) else 0
