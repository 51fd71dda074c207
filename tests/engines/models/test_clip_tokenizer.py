# SPDX-License-Identifier: Apache-2.0
"""CLIP's ids from its merges, cut and padded as CLIP's and ImageBind's text towers take them."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sensebind.errors import InputError
from sensebind.preprocess.text import TextPreprocessor
from sensebind.specs import TextSpec
from sensebind_engines.models.clip_tokenizer import CONTEXT, clip_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

BEGIN, END = 49406, 49407
SNOWMAN = "\u00e2\u013a\u0125"  # letters of the bytes of U+2603
LETTERS = [chr(c) for c in (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))]


def ends(letter: str) -> int:
    """Id of a letter that ends a word."""
    return 256 + LETTERS.index(letter)


@pytest.fixture(scope="module")
def merges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many merges as CLIP's: four of words, then pairs of letters that no text here has."""
    words = ["d o", "do g</w>", "c a", "ca t</w>"]
    rare = [chr(c) for c in range(0x100, 0x144)] + LETTERS[94:]
    rare = [letter for letter in rare if letter not in SNOWMAN]
    pairs = [f"{a} {b}{end}" for a in rare for b in rare for end in ("", "</w>")]
    path = tmp_path_factory.mktemp("clip") / "merges.txt.gz"
    lines = ["#version", *words, *pairs[: 48894 - len(words)], "not used"]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def prepare(merges_file: Path, folder: Path) -> Callable[[str], list[int]]:
    """From a text to its 77 ids, by the runtime."""
    (folder / "tokenizer.json").write_text(clip_tokenizer(merges_file).to_str())
    spec = TextSpec(
        tokenizer="tokenizer.json",
        tokenizer_sha256="0" * 64,
        max_tokens=CONTEXT,
        pad_to=CONTEXT,
        attention_mask=False,
    )
    preprocessor = TextPreprocessor(spec, folder / "tokenizer.json")
    return lambda text: [int(i) for i in preprocessor.prepare(text)["input_ids"]]


@pytest.fixture(scope="module")
def ids_of(merges: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[int]]:
    return prepare(merges, tmp_path_factory.mktemp("tokenizer"))


def words_of(ids: list[int]) -> list[int]:
    return ids[1 : ids.index(END)]


def test_a_text_is_begun_ended_and_padded(ids_of: Callable[[str], list[int]]) -> None:
    assert ids_of("A dog's CAT 7") == [
        *(BEGIN, ends("a"), 513, LETTERS.index("'"), ends("s"), 515, ends("7"), END),
        *[0] * 69,
    ]


def test_a_long_text_keeps_its_end(ids_of: Callable[[str], list[int]]) -> None:
    assert ids_of("dog " * 100) == [BEGIN, *[513] * 75, END]
    assert ids_of("dog " * 75) == ids_of("dog " * 76) == [BEGIN, *[513] * 75, END]
    assert ids_of("dog " * 74) == [BEGIN, *[513] * 74, END, 0]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  a \t\n dog ", "a dog"),
        ("A DOG", "a dog"),
        ("dog\u2019s \u201ccat\u201d", 'dog\'s "cat"'),
        ("\ufb01 \ufb04", "fi ffl"),
        ("\uff44\uff4f\uff47\u3000\uff17", "dog 7"),
        ("e\u0301", "\u00e9"),
        ("dog &amp; cat &lt;3 &#39;a&#39; &quot;b&QUOT;", "dog & cat <3 'a' \"b\""),
        ("&amp;amp; &amp;lt;", "& <"),
        ("a&nbsp;dog", "a dog"),
        ("a \x1b[1;31mdog\x1b[0m\x07\ufeff", "a dog"),
        ("a\u2028dog", "a dog"),
    ],
)
def test_texts_are_cleaned(ids_of: Callable[[str], list[int]], text: str, plain: str) -> None:
    assert ids_of(text) == ids_of(plain)


def test_all_bytes_have_ids(ids_of: Callable[[str], list[int]]) -> None:
    assert len(words_of(ids_of("\u2603"))) == 3
    assert max(words_of(ids_of("\u2603"))) < 512


def test_marks_in_a_text_are_words(ids_of: Callable[[str], list[int]]) -> None:
    """A prompt cannot end itself early."""
    found = ids_of("<|endoftext|> dog")
    assert found.count(END) == 1
    assert words_of(found)[-1] == 513


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.txt", b"#version\na b", r"does not hold 48894 pairs, one a line after the first line"),
        ("x.txt", b"#version\n" + b"a b\n" * 48894, r"makes 515 different words, expected 49408"),
        ("x.txt", b"\xff\xfe", r"cannot read CLIP's merges .*x.txt'"),
        ("x.txt.gz", b"no gzip", r"cannot read CLIP's merges .*x.txt.gz'"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        clip_tokenizer(tmp_path / name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read CLIP's merges .*none.txt.gz': .*No such"):
        clip_tokenizer(tmp_path / "none.txt.gz")


def test_published_ids(tmp_path: Path) -> None:
    """Ids that ImageBind's own tokenizer gives."""
    package = find_spec("open_clip")
    if package is None or package.origin is None:
        pytest.skip("open_clip_torch is not installed: it holds CLIP's merges")
    ids_of = prepare(Path(package.origin).parent / "bpe_simple_vocab_16e6.txt.gz", tmp_path)
    assert ids_of("A dog.") == [49406, 320, 1929, 269, 49407, *[0] * 72]
