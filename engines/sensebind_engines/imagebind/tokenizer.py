# SPDX-License-Identifier: Apache-2.0
"""CLIP's tokenizer as the tokenizers file that bundles carry.

Byte-pair encoding (Sennrich et al. 2016) over bytes, as CLIP uses it (Radford et al. 2021, section
2.4): lower case, words ended by ``</w>``, 256 bytes, 256 bytes that end a word, 48894 merges, and
the two tokens that begin and end a text. Text is brought to Unicode's NFC; CLIP's own code repairs
wrongly decoded text and HTML entities besides, which no tokenizers file can.
"""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from sensebind.errors import InputError, MissingExtraError
from sensebind_engines.models.weights import package_folder

if TYPE_CHECKING:
    from pathlib import Path

VOCABULARY = 49408
"""CLIP's words; ids beyond it have no vector in the text tower."""

_MERGES_FILE = "bpe_simple_vocab_16e6.txt.gz"
_MERGES = VOCABULARY - 2 * 256 - 2
_BEGIN, _END = "<|startoftext|>", "<|endoftext|>"
_WORD_END = "</w>"
_WORDS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d"
    r"|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)


def clip_tokenizer_json(file: Path | None = None) -> bytes:
    """Bytes of a tokenizer.json.

    Args:
        file: CLIP's merges (``bpe_simple_vocab_16e6.txt.gz``) or a finished tokenizer.json; the
            merges of the installed package open_clip_torch if None.

    Raises:
        InputError: no file was given and the package is not installed, or the file is another.
    """
    path = _installed_merges() if file is None else file
    try:
        content = path.read_bytes()
        if path.suffix == ".json":
            return _checked(path, content)
        lines = (gzip.decompress(content) if path.suffix == ".gz" else content).decode().split("\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read CLIP's tokenizer {str(path)!r}: {error}") from None
    merges = [tuple(line.split()) for line in lines[1 : _MERGES + 1]]
    if len(merges) < _MERGES or any(len(pair) != 2 for pair in merges):
        raise InputError(
            f"{str(path)!r} holds {len(merges)} lines of merges, expected CLIP's {_MERGES} pairs "
            f"after a first line: the file {_MERGES_FILE}"
        )
    try:
        return _from_merges([(first, second) for first, second in merges])
    except Exception as error:  # the package raises plain Exceptions
        raise InputError(f"{str(path)!r} does not hold CLIP's merges: {error}") from error


def _from_merges(merges: list[tuple[str, str]]) -> bytes:
    letters = _byte_letters()
    words = [*letters, *(letter + _WORD_END for letter in letters), *map("".join, merges)]
    vocabulary = {word: index for index, word in enumerate([*words, _BEGIN, _END])}
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, unk_token=_END, end_of_word_suffix=_WORD_END)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_BEGIN} $A {_END}",
        special_tokens=[(name, vocabulary[name]) for name in (_BEGIN, _END)],
    )
    return str(tokenizer.to_str()).encode()


def _byte_letters() -> list[str]:
    """A visible letter for each byte, in CLIP's order: those that are visible, then the others."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = len(set(range(256)) - set(visible))
    return [chr(code) for code in [*visible, *range(256, 256 + others)]]


def _installed_merges() -> Path:
    try:
        return package_folder("open_clip", "CLIP's tokenizer") / _MERGES_FILE
    except MissingExtraError:
        raise InputError(
            f"CLIP's tokenizer is needed for text: give its file {_MERGES_FILE} by --bpe, or "
            "install the package open_clip_torch, which has it"
        ) from None


def _checked(path: Path, content: bytes) -> bytes:
    try:
        words = Tokenizer.from_str(content.decode()).get_vocab_size()
    except Exception as error:  # the package raises plain Exceptions
        raise InputError(f"{str(path)!r} is not a tokenizers file: {error}") from error
    if words > VOCABULARY:
        raise InputError(
            f"{str(path)!r} has {words} words, expected at most CLIP's {VOCABULARY}: ids beyond "
            "them have no vector in the text tower"
        )
    return content
