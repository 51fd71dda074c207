# SPDX-License-Identifier: Apache-2.0
"""A small space whose texts lie where a test puts them, and streams of embeddings in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from sensebind.types import Embedding, Modality
from sensebind.zero_shot import ZeroShot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sensebind.bundle import Bundle
    from sensebind.types import Fused

AXES = {"cat": 0, "dog": 1, "bird": 2}
"""Texts, each a unit vector along an axis of its own."""
DIM = 4
S = 1_000_000_000


class _Texts:
    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.eye(DIM, dtype=np.float32)[[AXES[text] for text in texts]]


def classes(*labels: str, temperature: float = 0.2) -> ZeroShot:
    """Zero-shot classes whose prompts are their names."""
    prompts = {label: [label] for label in labels}
    return ZeroShot(cast("Bundle", _Texts()), prompts, temperature=temperature)


def embedding(
    at_s: float,
    *parts: float,
    stream: str = "camera",
    modality: Modality | Fused = Modality.VISION,
    coverage: float = 1.0,
    valid_fraction: float = 1.0,
) -> Embedding:
    """An embedding at an instant; `parts` are its components, made a unit vector."""
    vector = np.zeros(DIM)
    vector[: len(parts)] = parts
    at_ns = round(at_s * S)
    return Embedding(
        stream=stream,
        modality=modality,
        grid_ns=at_ns,
        start_ns=at_ns - 2 * S,
        end_ns=at_ns,
        stamp_ns=at_ns - 1,
        coverage=coverage,
        valid_fraction=valid_fraction,
        encoder_id="e" * 64,
        vector=(vector / np.linalg.norm(vector)).astype(np.float32),
    )
