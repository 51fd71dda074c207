# SPDX-License-Identifier: Apache-2.0
"""CLIP's tokenizer as a tokenizers file, the text front end of CLIP and ImageBind.

Byte-pair encoding over bytes (Sennrich et al. 2016; Radford et al. 2021, section 2.4): lower case,
words ended by ``</w>``, 256 bytes, 256 bytes that end a word, 48894 merges, and the two tokens that
begin and end a text. With `TextSpec(max_tokens=77, pad_to=77)` a text is cut so that begin, words
and end are 77 tokens at most, the end is always kept, and zeros follow.

CLIP's own code cleans texts with ftfy and html.unescape first. Of that the file expresses: NFC,
white space, curly quotes, Latin ligatures, full-width letters, terminal colours, control characters
and the HTML entities of ASCII punctuation and the space. It does not: wrongly decoded text ("Ã©"),
all other entities, and the other small sigma at a word's end. A text of ASCII without "&" has
CLIP's very ids.
"""

from __future__ import annotations

import gzip
import unicodedata
from typing import TYPE_CHECKING

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from sensebind.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
CONTEXT = 77
"""Tokens of a text of CLIP and ImageBind, padding included."""

WORDS = 49408
"""Ids beyond have no vector in a text tower of CLIP's layout."""

MERGES_FILE = "bpe_simple_vocab_16e6.txt.gz"
"""CLIP's merges, as its authors and the package open_clip_torch call the file."""

_MERGES = WORDS - 2 * 256 - 2
_WORD_END = "</w>"
_PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_ENTITIES = {
    "&": "amp|#38|#x26",
    "<": "lt|#60|#x3c",
    ">": "gt|#62|#x3e",
    '"': "quot|#34|#x22",
    "'": "apos|#39|#x27",
    " ": "nbsp|#160|#xa0",
}
_QUOTES = {"'": "[\u02bc\u2018-\u201b]", '"': "[\u201c-\u201f]"}
_LIGATURES = [0x132, 0x133, 0x149, *range(0x1C4, 0x1CD), *range(0x1F1, 0x1F4)]
_LIGATURES += [0xFB00, 0xFB01, 0xFB02, 0xFB03, 0xFB04, 0xFB06]
_WIDE = [0x3000, *range(0xFF01, 0xFFF0)]
_TERMINAL = "\x1b\\[[0-9;]*[a-zA-Z]"
_CONTROL = "[\x00-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]"


def clip_tokenizer(merges_file: Path) -> Tokenizer:
    """Build the tokenizer from CLIP's merges.

    Args:
        merges_file: ``bpe_simple_vocab_16e6.txt.gz`` (or unpacked), which the package
            open_clip_torch holds.

    Raises:
        InputError: if it cannot be read or is another file.
    """
    merges = _read_merges(merges_file)
    letters = _byte_letters()
    words = [*letters, *(letter + _WORD_END for letter in letters), *map("".join, merges)]
    vocabulary = {word: index for index, word in enumerate([*words, BEGIN, END])}
    if len(vocabulary) != WORDS:
        raise InputError(
            f"{str(merges_file)!r} makes {len(vocabulary)} different words, expected {WORDS}; "
            "give CLIP's own file"
        )
    try:
        model = models.BPE(vocabulary, merges, unk_token=END, end_of_word_suffix=_WORD_END)
    except Exception as error:  # the package raises nothing more precise
        raise InputError(f"{str(merges_file)!r} does not hold CLIP's merges: {error}") from error
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = _normalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A {END}",
        special_tokens=[(name, vocabulary[name]) for name in (BEGIN, END)],
    )
    return tokenizer


def _read_merges(merges_file: Path) -> list[tuple[str, str]]:
    try:
        content = merges_file.read_bytes()
        text = (gzip.decompress(content) if merges_file.suffix == ".gz" else content).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read CLIP's merges {str(merges_file)!r}: {error}") from None
    # The first line tells a version; there are more lines than CLIP uses.
    pairs = [line.split(" ") for line in text.split("\n")[1 : _MERGES + 1]]
    if len(pairs) < _MERGES or any(len(pair) != 2 for pair in pairs):
        raise InputError(
            f"{str(merges_file)!r} does not hold {_MERGES} pairs, one a line after the first line; "
            f"give CLIP's {MERGES_FILE}"
        )
    return [(first, second) for first, second in pairs]


def _byte_letters() -> list[str]:
    """A visible letter for each byte, in CLIP's order: those that are visible, then the others."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(code) for code in [*visible, *range(256, 512 - len(visible))]]


def _normalizer() -> normalizers.Sequence:
    """What CLIP's cleaning does, as far as replacements can say it."""
    steps = [
        # Entities are resolved up to three times over; "&amp;amp;" is "&".
        normalizers.Replace(Regex("(?i)&(?:(?:amp|#38|#x26);)+"), "&"),
        *(
            normalizers.Replace(Regex(f"(?i)&(?:{names});"), letter)
            for letter, names in _ENTITIES.items()
        ),
        normalizers.Replace(Regex(_TERMINAL), ""),
        *(normalizers.Replace(old, new) for old, new in _letters().items()),
        *(normalizers.Replace(Regex(old), new) for new, old in _QUOTES.items()),
        normalizers.Replace(Regex(_CONTROL), ""),
        normalizers.NFC(),
        normalizers.Replace(Regex(r"\s+"), " "),
        normalizers.Lowercase(),
    ]
    return normalizers.Sequence(steps)


def _letters() -> dict[str, str]:
    """Ligatures and letters of another width to the letters they stand for."""
    known = {chr(code): unicodedata.normalize("NFKC", chr(code)) for code in _LIGATURES + _WIDE}
    return {letter: stands_for for letter, stands_for in known.items() if letter != stands_for}
