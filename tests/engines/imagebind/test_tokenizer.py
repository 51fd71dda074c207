# SPDX-License-Identifier: Apache-2.0
"""CLIP's tokenizer from its merges, and what is refused in its place."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from tokenizers import Tokenizer

from sensebind.errors import InputError
from sensebind_engines.imagebind import tokenizer
from sensebind_engines.imagebind.tokenizer import clip_tokenizer_json
from sensebind_engines.models.clip_tokenizer import _byte_letters

if TYPE_CHECKING:
    from pathlib import Path


UNMERGED = "Ã©âĺĥ"
"""CLIP's letters for the bytes of é and of a snowman."""


@pytest.fixture
def merges(tmp_path: Path) -> Path:
    """Merges of the right number: a few real ones, then pairs that no text has."""
    real = ["d o", "do g</w>", "c a", "ca t</w>"]
    letters = [c for c in _byte_letters()[94:] if c not in UNMERGED]
    pairs = [f"{a} {b}{end}" for a in letters for b in letters for end in ("", "</w>")]
    made = pairs[: 48894 - len(real)]
    path = tmp_path / "bpe.txt.gz"
    path.write_bytes(gzip.compress("\n".join(["#version", *real, *made, "x y"]).encode()))
    return path


def test_ids_are_bytes_ends_merges_and_marks(merges: Path) -> None:
    made = Tokenizer.from_str(clip_tokenizer_json(merges).decode())
    assert made.get_vocab_size() == 49408
    # 512 words of one byte, then the merges in order; "A" is lower case and ends a word.
    assert made.encode("A  DOG cat's").ids == [
        49406, 256 + ord("a") - 33, 513, 515, ord("'") - 33, 256 + ord("s") - 33, 49407,
    ]  # fmt: skip
    assert made.encode("7").ids == [49406, 256 + ord("7") - 33, 49407]


def test_bytes_beyond_ascii_have_ids(merges: Path) -> None:
    made = Tokenizer.from_str(clip_tokenizer_json(merges).decode())
    ids = made.encode("é ☃").ids
    assert len(ids) == 2 + 2 + 3  # as many as UTF-8 has bytes, for no merge joins them
    assert max(ids[1:-1]) < 512


def test_without_a_file_and_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"give its file .* by --bpe, or install"):
        clip_tokenizer_json()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.txt", b"#version\na b", "does not hold 48894 pairs"),
        ("x.txt", b"\xff\xfe", "cannot read CLIP's merges"),
        ("x.txt.gz", b"no gzip", "cannot read CLIP's merges"),
        ("x.json", b"{}", "is not a tokenizers file"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        clip_tokenizer_json(tmp_path / name)


def test_a_finished_file_is_taken_if_its_words_fit(
    merges: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = clip_tokenizer_json(merges)
    finished = merges.with_name("tokenizer.json")
    finished.write_bytes(content)
    assert clip_tokenizer_json(finished) == content
    monkeypatch.setattr(tokenizer, "WORDS", 1000)
    with pytest.raises(InputError, match="has 49408 words, expected at most CLIP's 1000"):
        clip_tokenizer_json(finished)
