# SPDX-License-Identifier: Apache-2.0
"""The calibration file: one TOML file, one section per estimator and stream."""

from __future__ import annotations

import shutil
from itertools import count
from typing import TYPE_CHECKING, TypeVar

import msgspec

from sensebind.calibration.file import checked, parse_tables, read_bytes
from sensebind.calibration.sections import FORMAT
from sensebind.errors import InputError, SinkError
from sensebind.sinks import check_place
from sensebind.storage import atomic_path
from sensebind.toml_text import toml_text

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.calibration.file import Tables

    Section = TypeVar("Section", bound=msgspec.Struct)


def read_file(path: Path) -> Tables:
    """The file's sections as they are, those of unknown estimators among them.

    Raises:
        InputError: if it cannot be read, is no TOML or of another format.
    """
    return parse_tables(read_bytes(path), path)


def section_of(path: Path, estimator: str, stream: str, kind: type[Section]) -> Section:
    """One section, checked.

    Raises:
        InputError: if it is not there or damaged, naming those that are there.
    """
    sections = read_file(path).get(estimator, {})
    if stream not in sections:
        known = ", ".join(map(repr, sections)) or "none"
        raise InputError(
            f"{path} has no section [{estimator}] of the stream {stream!r}; it has {known}"
        )
    return checked(path, estimator, stream, sections[stream], kind)


def check_free(path: Path, estimator: str, stream: str, *, force: bool) -> None:
    """Refuse before any work what `add_section` would refuse after it.

    Raises:
        InputError: if the section is there and not to be replaced, or the file is not ours or
            cannot be written.
    """
    check_place(path)
    if path.exists() and stream in read_file(path).get(estimator, {}) and not force:
        raise InputError(
            f"{path} already has a section [{estimator}] of {stream!r}; give --force to replace it "
            "(the old file is kept), or another --out"
        )


def add_section(
    path: Path, estimator: str, stream: str, section: msgspec.Struct, *, force: bool = False
) -> Path | None:
    """Write a section; all others of the file are kept, and so is a copy of the old file.

    Returns:
        the copy of the old file, None if there was none.

    Raises:
        InputError: see `check_free`.
        SinkError: if it cannot be written; the old file is unharmed.
    """
    check_free(path, estimator, stream, force=force)
    sections = read_file(path) if path.exists() else {}
    sections.setdefault(estimator, {})[stream] = msgspec.to_builtins(section)
    try:
        kept = _keep(path) if path.exists() else None
        with atomic_path(path) as temporary:
            temporary.write_text(toml_text({"format": FORMAT, **sections}), encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error}") from error
    return kept


def _keep(path: Path) -> Path:
    """Copy a file to the first free of name.bak, name.bak2, …, so that no copy is lost either."""
    names = (path.with_name(f"{path.name}.bak{n if n > 1 else ''}") for n in count(1))
    free = next(name for name in names if not name.exists())
    shutil.copy2(path, free)
    return free
