# SPDX-License-Identifier: Apache-2.0
"""Messages laid out as plain CDR, which the runtime's views read.

All middlewares of today send it. Should one send another encoding, its messages are deserialized
as usual and laid out anew: slower, and right.
"""

from __future__ import annotations

import re
from struct import Struct
from typing import Any

import numpy as np

_ENCAPSULATION = b"\x00\x01\x00\x00"  # plain CDR, little-endian
_NUMBERS = {
    "boolean": "?",
    "octet": "B",
    "byte": "B",
    "char": "B",
    "uint8": "B",
    "int8": "b",
    "uint16": "H",
    "int16": "h",
    "uint32": "I",
    "int32": "i",
    "uint64": "Q",
    "int64": "q",
    "float": "f",
    "double": "d",
}
_STRUCTS = {name: Struct(f"<{code}") for name, code in _NUMBERS.items()}
_COUNT = Struct("<I")
_SEQUENCE = re.compile(r"sequence<(.+?)(?:, *\d+)?>")
_ARRAY = re.compile(r"(.+)\[(\d+)\]")


def is_plain(data: bytes) -> bool:
    """Whether serialized bytes are plain CDR of either byte order."""
    return data[:1] == b"\0" and data[1:2] in (b"\0", b"\1")


def plain_cdr(message: Any) -> bytes:  # noqa: ANN401 - generated classes
    """A ROS message as plain CDR, little-endian."""
    out = bytearray()
    _add_message(out, message)
    return _ENCAPSULATION + bytes(out)


def _add_message(out: bytearray, message: Any) -> None:  # noqa: ANN401
    for name, kind in message.get_fields_and_field_types().items():
        _add(out, kind, getattr(message, name))


def _add(out: bytearray, kind: str, value: Any) -> None:  # noqa: ANN401
    sequence, array = _SEQUENCE.fullmatch(kind), _ARRAY.fullmatch(kind)
    if sequence is not None:
        _add_number(out, _COUNT, len(value))
        _add_items(out, sequence[1], value)
    elif array is not None:
        _add_items(out, array[1], value)
    elif kind in _STRUCTS:
        number = value[0] if isinstance(value, bytes) else value
        _add_number(out, _STRUCTS[kind], number)
    elif kind.startswith("string"):
        octets = value.encode() + b"\0"
        _add_number(out, _COUNT, len(octets))
        out += octets
    else:
        _add_message(out, value)


def _add_items(out: bytearray, kind: str, items: Any) -> None:  # noqa: ANN401
    if kind in _STRUCTS and not isinstance(items, (list, tuple)):
        layout = _STRUCTS[kind]
        if len(items):
            out += bytes(-len(out) % layout.size)
        out += np.asarray(items).astype(layout.format, copy=False).tobytes()
        return
    for item in items:
        _add(out, kind, item)


def _add_number(out: bytearray, layout: Struct, number: float) -> None:
    out += bytes(-len(out) % layout.size)
    out += layout.pack(number)
