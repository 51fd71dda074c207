# SPDX-License-Identifier: Apache-2.0
"""Texts to token ids with the bundle's own tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

from sensebind.errors import BundleError, InputError

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.specs import TextSpec
    from sensebind.types import Features


class TextPreprocessor:
    """Tokenizes one text at a time, so that a text's vector depends on nothing but the text."""

    def __init__(self, spec: TextSpec, tokenizer_file: Path) -> None:
        try:
            self._tokenizer = Tokenizer.from_str(tokenizer_file.read_text(encoding="utf-8"))
        except Exception as error:
            raise BundleError(f"{tokenizer_file} is not a tokenizer file: {error}") from error
        self._tokenizer.no_padding()
        # Truncation drops words, never the tokens that the tokenizer's template puts around them.
        self._tokenizer.enable_truncation(max_length=spec.max_tokens)

    def prepare(self, text: str) -> Features:
        """Token ids and attention mask of one text, int64 [tokens], at most `max_tokens`.

        Raises:
            InputError: if it is no string or has no characters but spaces.
        """
        if not isinstance(text, str):
            raise InputError(f"a text is {text!r} ({type(text).__name__}), expected a string")
        if not text.strip():
            raise InputError(f"a text is {text!r}, expected at least one word")
        tokens = self._tokenizer.encode(text)
        return {
            "input_ids": np.array(tokens.ids, dtype=np.int64),
            "attention_mask": np.array(tokens.attention_mask, dtype=np.int64),
        }
