# SPDX-License-Identifier: Apache-2.0
"""Tables as TOML text, which the standard library reads but does not write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

Table = dict[str, Any]


def toml_text(table: Table) -> str:
    """Write a table of numbers, booleans, texts, lists of these, and tables; None is left out."""
    return "\n".join(_lines(table, ())).lstrip("\n") + "\n"


def _lines(table: Table, path: tuple[str, ...]) -> Iterator[str]:
    """Values first, then tables: TOML's own order."""
    values = {key: value for key, value in table.items() if not isinstance(value, dict)}
    if path and (values or not table):
        yield f"\n[{'.'.join(map(_key, path))}]"
    for key, value in values.items():
        if value is not None:
            yield f"{_key(key)} = {_literal(value)}"
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _lines(value, (*path, key))


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if bare else _literal(key)


def _literal(value: object) -> str:
    """JSON's numbers and texts are TOML's, but for numbers that are not finite."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, float) and value - value != 0:  # nan, inf
        return str(value)
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
