# SPDX-License-Identifier: Apache-2.0
"""What the trainer asks of data: batches of features whose rows belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from sensebind.types import Modality

VECTOR = "vector"
"""Name of a precomputed unit embedding among features: float32 (rows, dim), from a frozen tower."""


@dataclass(frozen=True)
class Batch:
    """Rows that belong together, one per item, in the order of the indices asked for.

    Attributes:
        features: per modality its encoder's inputs by name, rows first; a frozen tower's
            embeddings are given as `VECTOR` instead.
        keys: int64 (rows,); rows with equal keys are not each other's negatives. None if every
            row is its own.
    """

    features: dict[Modality, dict[str, Tensor]]
    keys: Tensor | None


class PairedData(Protocol):
    """Items that hold the same moment or thing in several modalities."""

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What every item has, in the order they were asked for."""
        ...

    @property
    def content_sha256(self) -> str:
        """64 hex digits of everything that decides the features without augmentation."""
        ...

    def __len__(self) -> int:
        """Number of items."""
        ...

    def describe(self, index: int) -> str:
        """Where an item is found: its row, files and instant."""
        ...

    def batch(self, indices: NDArray[np.int64], rng: np.random.Generator | None) -> Batch:
        """Features of the items at `indices`.

        Args:
            indices: int64 (rows,), each in 0..len-1; may repeat.
            rng: draws the augmentations; None for none.

        Raises:
            InputError: naming manifest, row and file of an item that cannot be used.
        """
        ...
