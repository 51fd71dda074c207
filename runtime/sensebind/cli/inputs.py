# SPDX-License-Identifier: Apache-2.0
"""What `sensebind embed` is given: files, folders, standard input and texts, as a flat list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sensebind.errors import InputError
from sensebind.sources.files.image_files import picture_encoding
from sensebind.sources.layout import (
    AUDIO_SUFFIXES,
    BAG_SUFFIXES,
    IMAGE_SUFFIXES,
    TABLE_SUFFIXES,
    natural_order,
)
from sensebind.sources.mapping import DEPTH_ENCODINGS
from sensebind.types import Modality

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

TEXT_SUFFIX = ".txt"
_MODALITY_OF_SUFFIX = {
    **dict.fromkeys(IMAGE_SUFFIXES, Modality.VISION),
    **dict.fromkeys(TABLE_SUFFIXES, Modality.IMU),
    **dict.fromkeys(AUDIO_SUFFIXES, Modality.AUDIO),
    TEXT_SUFFIX: Modality.TEXT,
}
_PICTURES = (Modality.VISION, Modality.DEPTH, Modality.THERMAL)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to embed.

    Attributes:
        name: how it is called in the results: the path as given, or the text itself.
        modality: the encoder to use.
        path: its file; None for a text.
        named: the user named it; False if it was found in a folder.
    """

    name: str
    modality: Modality
    path: Path | None
    named: bool = True


def find_items(
    arguments: Sequence[str],
    texts: Sequence[str],
    modality: Modality | None,
    lines: Iterable[str],
) -> Iterator[Item]:
    """List what to embed, in the order given, texts last.

    Args:
        arguments: files, folders, or "-" for `lines`.
        texts: texts given on the command line.
        modality: what the files are, if their suffix is not to decide.
        lines: lines of standard input: paths, or texts if `modality` is text.

    Raises:
        InputError: naming the path and what was expected.
    """
    for argument in arguments:
        if argument != "-":
            yield from _from_path(Path(argument), modality)
        elif modality is Modality.TEXT:
            yield from _from_lines(lines)
        else:
            for line in filter(None, map(str.strip, lines)):
                yield from _from_path(Path(line), modality)
    yield from _from_lines(texts)


def _from_lines(lines: Iterable[str]) -> Iterator[Item]:
    for line in filter(None, map(str.strip, lines)):
        yield Item(line, Modality.TEXT, None)


def _from_path(path: Path, modality: Modality | None) -> Iterator[Item]:
    if path.is_dir():
        yield from _from_folder(path, modality)
    elif not path.exists():
        raise InputError(
            f"{path}: no such file or folder; check the path, or give a text by --text"
        )
    elif path.suffix.lower() == TEXT_SUFFIX:
        yield from _from_lines(_read_lines(path))
    else:
        yield Item(str(path), _modality_of(path, modality), path)


def _from_folder(folder: Path, modality: Modality | None) -> Iterator[Item]:
    """The files directly in a folder that can be embedded; others are none of our business."""
    suffixes = {suffix: m for suffix, m in _MODALITY_OF_SUFFIX.items() if suffix != TEXT_SUFFIX}
    paths = [p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in suffixes]
    if not paths:
        raise InputError(
            f"{folder}: no file in this folder can be embedded, and folders inside are not looked "
            f"into; expected {', '.join(suffixes)}"
        )
    for path in sorted(paths, key=natural_order):
        yield Item(str(path), _modality_of(path, modality), path, named=False)


def _modality_of(path: Path, modality: Modality | None) -> Modality:
    suffix = path.suffix.lower()
    if suffix in BAG_SUFFIXES:
        raise InputError(
            f"{path} is a recording; encode it with: sensebind replay {path} --out FILE.parquet"
        )
    found = _MODALITY_OF_SUFFIX.get(suffix)
    if found is None:
        known = ", ".join(_MODALITY_OF_SUFFIX)
        raise InputError(f"{path}: files ending in {suffix!r} cannot be embedded; expected {known}")
    if modality is None:
        is_depth = found is Modality.VISION and picture_encoding(path) in DEPTH_ENCODINGS
        return Modality.DEPTH if is_depth else found
    if modality is found or {modality, found} <= set(_PICTURES):
        return modality
    raise InputError(
        f"{path}: --modality {modality} does not fit a file ending in {suffix!r}, which holds "
        f"{found}; leave --modality out"
    )


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text: {error}") from None
