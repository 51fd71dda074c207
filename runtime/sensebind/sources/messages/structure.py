# SPDX-License-Identifier: Apache-2.0
"""Messages of any type as nested dictionaries, by the definition their recording carries.

Definitions are parsed by rosbags; values are read by our own cursor, because a message may claim
anything: nothing is read past its end, and it can't have more parts than are useful here.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.sources.messages.wire import Cursor, DecodeError

if TYPE_CHECKING:
    from sensebind.sources.messages.wire import Wire

    Record = dict[str, Any]
    Fields = list[tuple[str, tuple[Any, Any]]]

_LARGEST_DEFINITION_BYTES = 1 << 20
_DEEPEST = 16
_MOST_PARTS = 10_000
"""Most texts or messages in one sequence; sensor messages have a handful."""

_NUMBERS = {
    "bool": "B",
    "byte": "B",
    "char": "B",
    "octet": "B",
    "uint8": "B",
    "int8": "b",
    "uint16": "H",
    "int16": "h",
    "uint32": "I",
    "int32": "i",
    "uint64": "Q",
    "int64": "q",
    "float32": "f",
    "float64": "d",
}
_STRUCTS = {order: {code: Struct(order + code) for code in "BbHhIiQqfd"} for order in "<>"}


class MessageLayout:
    """How the messages of one type are laid out."""

    def __init__(self, message_type: str, definition: bytes, definition_format: str) -> None:
        """Parse a definition.

        Raises:
            DecodeError: if there is none or it cannot be understood.
        """
        self._fields = _parsed(message_type, definition, definition_format)
        self._type = message_type
        if message_type not in self._fields:
            raise DecodeError(f"its definition does not define {message_type}")

    def read(self, data: bytes | memoryview, wire: Wire) -> Record:
        """The fields of a message; sequences of bytes are views of it, others NumPy arrays.

        Raises:
            DecodeError: if it does not have this layout.
        """
        return self._message(Cursor(data, wire), self._type, 0)

    def _message(self, cursor: Cursor, message_type: str, depth: int) -> Record:
        if message_type not in self._fields or depth > _DEEPEST:
            raise DecodeError(f"its definition lacks {message_type}")
        return {
            name: self._value(cursor, field, depth) for name, field in self._fields[message_type]
        }

    def _value(self, cursor: Cursor, field: tuple[Any, Any], depth: int) -> Any:  # noqa: ANN401
        kind, what = field
        if kind.name == "NAME":
            return self._message(cursor, what, depth + 1)
        if kind.name == "BASE":
            return _text_or_number(cursor, what[0])
        item, length = what
        count = length if kind.name == "ARRAY" else cursor.uint32()
        if item[0].name == "BASE" and item[1][0] in _NUMBERS:
            return _numbers(cursor, _NUMBERS[item[1][0]], count)
        if count > _MOST_PARTS:
            raise DecodeError("too many parts")
        return [self._value(cursor, item, depth + 1) for _ in range(count)]


def _parsed(message_type: str, definition: bytes, definition_format: str) -> dict[str, Fields]:
    """Fields by message type, of all types that a definition and the standard ones define."""
    from rosbags.typesys import (
        Stores,
        TypesysError,
        get_types_from_idl,
        get_types_from_msg,
        get_typestore,
    )

    if not definition or len(definition) > _LARGEST_DEFINITION_BYTES:
        raise DecodeError("the recording does not define it")
    text = definition.decode("utf-8", "replace")
    try:
        if definition_format == "ros2idl":
            types = get_types_from_idl(text)
        else:
            types = get_types_from_msg(text, message_type)
    except (TypesysError, ValueError, KeyError, IndexError, RecursionError):
        raise DecodeError("its definition cannot be understood") from None
    fields = {name: list(entry[1]) for name, entry in types.items()}
    ros1 = definition_format == "ros1msg"
    standard = get_typestore(Stores.ROS1_NOETIC if ros1 else Stores.ROS2_HUMBLE).fielddefs
    return {**{name: list(entry[1]) for name, entry in standard.items()}, **fields}


def _text_or_number(cursor: Cursor, base: str) -> str | float:
    if base == "string":
        return cursor.text()
    code = _NUMBERS.get(base)
    if code is None:
        raise DecodeError(f"fields of type {base} are not read")
    layout = _STRUCTS[cursor.order][code]
    return cursor.unpack(layout, layout.size)[0]


def _numbers(cursor: Cursor, code: str, count: int) -> Any:  # noqa: ANN401
    octets = cursor.items(count, np.dtype(code).itemsize)
    return octets if code == "B" else np.frombuffer(octets, cursor.order + code)
