# SPDX-License-Identifier: Apache-2.0
"""Tables as TOML text, which the standard library reads but does not write."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

Table = dict[str, Any]


def toml_text(table: Table) -> str:
    """Write a table of booleans, numbers, texts, lists and tables; None is left out."""
    return "\n".join(_toml_lines(table, "")).lstrip("\n") + "\n"


def _toml_lines(table: Table, prefix: str) -> Iterator[str]:
    """Scalars first, then tables, then arrays of tables: TOML's own order."""
    for key, value in table.items():
        if not isinstance(value, dict) and not _is_tables(value) and value is not None:
            yield f"{_key(key)} = {_literal(value)}"
    for key, value in table.items():
        name = f"{prefix}{_key(key)}"
        if isinstance(value, dict):
            yield f"\n[{name}]"
            yield from _toml_lines(value, f"{name}.")
        elif _is_tables(value):
            for item in value:
                yield f"\n[[{name}]]"
                yield from _toml_lines(item, f"{name}.")


def _is_tables(value: object) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], dict)


def is_bare(key: str) -> bool:
    """Whether a key needs no quotation marks."""
    return key.isascii() and key.replace("_", "").replace("-", "").isalnum()


def _key(key: str) -> str:
    return key if is_bare(key) else _literal(key)


def _literal(value: object) -> str:
    """JSON's literals are TOML's, but for lists' items and non-finite numbers."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_key(k)} = {_literal(v)}' for k, v in value.items())}}}"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
