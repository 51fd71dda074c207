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
        """Read the tokenizer.

        Raises:
            BundleError: if the file is no tokenizer, or texts may be longer than they are padded.
        """
        if spec.pad_to is not None and spec.pad_to < spec.max_tokens:
            raise BundleError(
                f"the text encoder pads to {spec.pad_to} tokens and takes up to {spec.max_tokens}; "
                "pad_to must be at least max_tokens"
            )
        try:
            self._tokenizer = Tokenizer.from_str(tokenizer_file.read_text(encoding="utf-8"))
        except Exception as error:
            raise BundleError(f"{tokenizer_file} is not a tokenizer file: {error}") from error
        self._spec = spec
        self._tokenizer.no_padding()
        # Truncation drops words, never the tokens that the tokenizer's template puts around them.
        self._tokenizer.enable_truncation(max_length=spec.max_tokens)

    def prepare(self, text: str) -> Features:
        """Token ids, and the mask if the graph takes one, of one text.

        Returns:
            int64 [tokens] each, at most `max_tokens` long, or exactly `pad_to`.

        Raises:
            InputError: if it is no string or has no characters but spaces.
        """
        if not isinstance(text, str):
            raise InputError(f"a text is {text!r} ({type(text).__name__}), expected a string")
        if not text.strip():
            raise InputError(f"a text is {text!r}, expected at least one word")
        ids = self._tokenizer.encode(text).ids
        length = self._spec.pad_to or len(ids)
        padded = np.full(length, self._spec.pad_id, dtype=np.int64)
        padded[: len(ids)] = ids
        features: Features = {"input_ids": padded}
        if self._spec.attention_mask:
            features["attention_mask"] = (np.arange(length) < len(ids)).astype(np.int64)
        return features
