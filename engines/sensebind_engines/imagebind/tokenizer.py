# SPDX-License-Identifier: Apache-2.0
"""Where the text tower's tokenizer comes from: CLIP's merges, or a finished tokenizers file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from sensebind.errors import InputError, MissingExtraError
from sensebind_engines.models.clip_tokenizer import MERGES_FILE, WORDS, clip_tokenizer
from sensebind_engines.models.weights import package_folder

if TYPE_CHECKING:
    from pathlib import Path


def clip_tokenizer_json(file: Path | None = None) -> bytes:
    """Bytes of a tokenizer.json.

    Args:
        file: CLIP's merges (``bpe_simple_vocab_16e6.txt.gz``) or a finished tokenizer.json; the
            merges of the installed package open_clip_torch if None.

    Raises:
        InputError: no file was given and the package is not installed, or the file is another.
    """
    path = _installed_merges() if file is None else file
    if path.suffix == ".json":
        return _checked(path)
    return str(clip_tokenizer(path).to_str()).encode()


def _installed_merges() -> Path:
    try:
        return package_folder("open_clip", "CLIP's tokenizer") / MERGES_FILE
    except MissingExtraError:
        raise InputError(
            f"CLIP's tokenizer is needed for text: give its file {MERGES_FILE} by --bpe, or "
            "install the package open_clip_torch, which has it"
        ) from None


def _checked(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        words = Tokenizer.from_str(content.decode()).get_vocab_size()
    except OSError as error:
        raise InputError(f"cannot read CLIP's tokenizer {str(path)!r}: {error.strerror}") from None
    except Exception as error:  # the package raises plain Exceptions
        raise InputError(f"{str(path)!r} is not a tokenizers file: {error}") from error
    if words > WORDS:
        raise InputError(
            f"{str(path)!r} has {words} words, expected at most CLIP's {WORDS}: ids beyond "
            "them have no vector in the text tower"
        )
    return content
