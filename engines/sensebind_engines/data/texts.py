# SPDX-License-Identifier: Apache-2.0
"""Texts as features, padded to the longest of a batch."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from sensebind.preprocess.text import TextPreprocessor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sensebind.specs import TextSpec
    from sensebind.types import Features

_REMEMBERED = 1 << 14


class Texts:
    """Tokenizes as the runtime does; a text is tokenized once."""

    def __init__(self, spec: TextSpec, tokenizer: Path) -> None:
        self._prepare = lru_cache(_REMEMBERED)(TextPreprocessor(spec, tokenizer).prepare)

    def features(self, texts: Sequence[str]) -> list[Features]:
        """Ids and mask of each text, int64 (longest,): zeros, masked out, behind the shorter ones.

        Raises:
            InputError: for a text without words.
        """
        rows = [self._prepare(text) for text in texts]
        longest = max(len(row["input_ids"]) for row in rows)
        return [
            {name: np.pad(ids, (0, longest - len(ids))) for name, ids in row.items()}
            for row in rows
        ]
