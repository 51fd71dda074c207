# SPDX-License-Identifier: Apache-2.0
"""The schema of `bundle.json` as a page, from the classes that read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sensebind.config_fields import meanings
from sensebind.manifest import EdgeSpec, FileSpec, Manifest
from sensebind.specs import (
    SPEC_OF_MODALITY,
    EncoderSpec,
    HalfSpec,
    Int8Spec,
    TensorSpec,
    WindowSpec,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """# Manifest of a bundle

`bundle.json`, format 1. Fields that are not listed are refused. What a bundle is, and how its ids
are made, tells [the page on bundles](../bundle.md).
"""
_SECTIONS: tuple[type[msgspec.Struct], ...] = (
    Manifest, EncoderSpec, WindowSpec, TensorSpec, *SPEC_OF_MODALITY.values(), HalfSpec, Int8Spec,
    EdgeSpec, FileSpec,
)  # fmt: skip
_ANY = {"type": "anything"}
_LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
    "minItems": "length from",
    "maxItems": "length up to",
    "pattern": "like",
}


def page() -> str:
    """One section for each class."""
    _, schemas = msgspec.json.schema_components(_SECTIONS, schema_hook=lambda _: _ANY)
    parts = [_HEAD]
    for each in _SECTIONS:
        first_line = (each.__doc__ or "").partition("\n")[0]
        parts += [f"\n## {each.__name__}\n", f"{first_line}\n"]
        parts += _rows(schemas[each.__name__], meanings(each))
    return "\n".join(parts) + "\n"


def _rows(schema: dict[str, Any], meaning: dict[str, str]) -> Iterator[str]:
    yield "| field | what | unless given | meaning |"
    yield "|---|---|---|---|"
    for name, field in schema["properties"].items():
        default = "**needed**" if name in schema["required"] else _default(field)
        cells = (f"`{name}`", _what(field), default, meaning.get(name, ""))
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    return "" if default in (None, [], {}) else f"`{msgspec.json.encode(default).decode()}`"


def _what(field: dict[str, Any]) -> str:
    """A JSON schema as a phrase."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})" if name != "Modality" else "modality"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(_what(each) for each in field["anyOf"])
    kind = str(field.get("type", "anything"))
    if kind == "array":
        kind = f"list of {_items(field)}"
    elif kind == "object" and isinstance(field.get("additionalProperties"), dict):
        kind = f"table of {_what(field['additionalProperties'])}"
    limits = [f"{word} `{field[key]}`" for key, word in _LIMITS.items() if key in field]
    return ", ".join([kind, *limits])


def _items(field: dict[str, Any]) -> str:
    """What a list holds; of a tuple, each kind once."""
    kinds = [_what(each) for each in field.get("prefixItems", [])]
    if isinstance(field.get("items"), dict) and field["items"]:
        kinds.append(_what(field["items"]))
    return " or ".join(dict.fromkeys(kinds)) or "anything"
