# SPDX-License-Identifier: Apache-2.0
"""Texts become ids, and truncation keeps the token that ends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind.bundle_folder import open_bundle
from sensebind.errors import BundleError, InputError
from sensebind.preprocess.text import TextPreprocessor
from sensebind.specs import TextSpec
from sensebind.types import Modality

if TYPE_CHECKING:
    from pathlib import Path

PAD, UNKNOWN, START, END = range(4)


@pytest.fixture
def preprocessor(bundle_folder: Path) -> TextPreprocessor:
    spec = open_bundle(bundle_folder).encoder(Modality.TEXT).preprocess
    assert isinstance(spec, TextSpec)
    return TextPreprocessor(spec, bundle_folder / "tokenizer.json")


def test_ids_and_mask(preprocessor: TextPreprocessor) -> None:
    tokens = preprocessor.prepare("A zebra")
    assert tokens["input_ids"].tolist() == [START, 4, UNKNOWN, END]
    assert tokens["attention_mask"].tolist() == [1, 1, 1, 1]
    assert {array.dtype for array in tokens.values()} == {np.dtype(np.int64)}


def test_truncation_keeps_the_end(preprocessor: TextPreprocessor) -> None:
    ids = preprocessor.prepare("a " * 100)["input_ids"]
    assert ids.tolist() == [START, *[4] * 14, END]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a text is '', expected at least one word"),
        (" \n", r"a text is ' \\n', expected at least one word"),
        (3, r"a text is 3 \(int\), expected a string"),
        (None, r"a text is None \(NoneType\)"),
    ],
)
def test_bad_texts_are_named(preprocessor: TextPreprocessor, text: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        preprocessor.prepare(text)


def test_bad_tokenizer_files_are_named(tmp_path: Path) -> None:
    spec = TextSpec(tokenizer="tokenizer.json", tokenizer_sha256="0" * 64, max_tokens=8)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(BundleError, match=r"tokenizer.json is not a tokenizer file: "):
        TextPreprocessor(spec, tmp_path / "tokenizer.json")
