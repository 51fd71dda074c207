# SPDX-License-Identifier: Apache-2.0
"""Reading a calibration file: one TOML file, a section per kind of calibration and stream."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from sensebind.calibration.sections import FORMAT
from sensebind.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path

    Struct = TypeVar("Struct", bound=msgspec.Struct)

Tables = dict[str, dict[str, Any]]
"""Sections as they are in the file: kind, then stream."""

_AT = re.compile(r" - at `\$\.?([^`]*)`")
_AGAIN = "mend it, or estimate it again with 'sensebind calibrate {kind}'"


def parse_tables(content: bytes, path: Path) -> Tables:
    """The sections of a file, unchecked, those of kinds that are not known among them.

    Args:
        content: its bytes.
        path: names it in messages.

    Raises:
        InputError: if it is no TOML, no calibration file, or of a newer version.
    """
    try:
        tables: dict[str, Any] = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(
            f"{path} is no calibration file that can be read ({error}); write one with "
            "'sensebind calibrate'"
        ) from None
    version = tables.pop("format", None)
    if isinstance(version, int) and not isinstance(version, bool) and version > FORMAT:
        raise InputError(
            f"{path} has format = {version}, expected {FORMAT}: it was written by a newer version "
            "of SenseBind; update SenseBind, or calibrate again with this version"
        )
    if version is not FORMAT:
        raise InputError(
            f"{path} has format = {version!r}, expected {FORMAT}; it is no calibration file: "
            "write one with 'sensebind calibrate'"
        )
    for kind, streams in tables.items():
        if not isinstance(streams, dict) or not all(isinstance(t, dict) for t in streams.values()):
            raise InputError(
                f'{path}: {kind} = {streams!r:.60}, expected sections [{kind}."STREAM"]; '
                + _AGAIN.format(kind=kind)
            )
    return tables


def read_bytes(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}); expected a calibration file as "
            "'sensebind calibrate' writes it, check the path"
        ) from None


def checked(path: Path, kind: str, stream: str, table: object, struct: type[Struct]) -> Struct:
    """A section from its table.

    Raises:
        InputError: naming file, section, key, value and what was expected.
    """
    try:
        return msgspec.convert(table, struct)
    except msgspec.ValidationError as error:
        text = str(error)
    what, *paths = _AT.split(text)
    key = ".".join(path for path in reversed(paths) if path)  # outermost last, "" in between
    told = f"{key} = {_value_at(table, key)}: " if key else ""
    raise InputError(
        f'{path}: section [{kind}."{stream}"]: {told}{what[:1].lower()}{what[1:]}; '
        + _AGAIN.format(kind=kind)
    )


def _value_at(table: object, key: str) -> str:
    """The value at a path such as `provenance.rate_hz`, as text; items of lists are not told."""
    for name in re.split(r"[.\[]", key):
        if not isinstance(table, dict) or name not in table:
            break
        table = table[name]
    return f"{table!r:.80}"
