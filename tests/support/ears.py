# SPDX-License-Identifier: Apache-2.0
"""What a live source delivers and tells, kept for a test."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from sensebind.types import FrameBlock, SampleBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sensebind.types import Block

PATIENCE_S = 30.0


class Ears:
    """Takes the blocks and the failure of a live source."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.failures: list[Exception] = []
        self._changed = threading.Condition()

    def take(self, block: Block) -> None:
        with self._changed:
            self.blocks.append(block)
            self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        with self._changed:
            self.failures.append(error)
            self._changed.notify_all()

    def wait_for(self, samples: int, stream: str | None = None) -> None:
        """Wait until so many samples came."""
        self._wait(lambda: sum(b.count for b in self.of(stream)) >= samples)

    def failure(self) -> Exception:
        """Wait for the first failure."""
        self._wait(lambda: bool(self.failures))
        return self.failures[0]

    def of(self, stream: str | None) -> list[Block]:
        """The blocks of a stream, of all if None."""
        return [block for block in self.blocks if stream in (None, block.stream)]

    def samples(self, stream: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Stamps and values of a stream of samples."""
        blocks = [block for block in self.of(stream) if isinstance(block, SampleBlock)]
        stamps_ns = np.concatenate([block.stamps_ns for block in blocks])
        return stamps_ns, np.concatenate([block.values for block in blocks])

    def frames(self, stream: str) -> list[FrameBlock]:
        """The blocks of a stream of frames."""
        return [block for block in self.of(stream) if isinstance(block, FrameBlock)]

    def _wait(self, done: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(done, PATIENCE_S)
