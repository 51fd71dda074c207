# SPDX-License-Identifier: Apache-2.0
"""What can be set, as values: the fields of a configuration with types, ranges and descriptions.

ROS parameters, their descriptors and the tables of the documentation are generated from these, so
there is one place that says what a field means: its class.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import inspect as types

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["bool", "int", "float", "text", "numbers", "texts", "table", "struct"]

_REQUIRED: object = msgspec.NODEFAULT
_ATTRIBUTES = "Attributes:"
_ITEM = re.compile(r"(\w+(?:, \w+)*): +(.*)")


@dataclass(frozen=True, slots=True)
class ConfigField:
    """One field of a configuration.

    Attributes:
        name: of the field, with its unit.
        kind: what it holds: one value, a sequence of numbers or of texts, a table of values by
            name, or a configuration of its own. Where a field may also be written as a text,
            `or_text` says so.
        default: what it is if not given; None where `required`.
        required: whether it must be given.
        optional: whether it may be None, which is "not set".
        or_text: whether a text may stand for `kind`, such as the name of a set of numbers.
        choices: the texts that are allowed; empty for any.
        least: smallest number allowed; None for no limit.
        greatest: largest number allowed; None for no limit.
        above_least: whether `least` itself is not allowed.
        below_greatest: whether `greatest` itself is not allowed.
        description: what it means, as one line.
    """

    name: str
    kind: Kind
    default: object = None
    required: bool = False
    optional: bool = False
    or_text: bool = False
    choices: tuple[str, ...] = ()
    least: float | None = None
    greatest: float | None = None
    above_least: bool = False
    below_greatest: bool = False
    description: str = ""

    @property
    def expected(self) -> str:
        """What may be given, as a phrase: "above 0, at most 3600", "one of …"; "" for anything."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        phrases = []
        if self.least is not None:
            phrases.append(f"{'above' if self.above_least else 'at least'} {self.least:.15g}")
        if self.greatest is not None:
            phrases.append(f"{'below' if self.below_greatest else 'at most'} {self.greatest:.15g}")
        return ", ".join(phrases)


@lru_cache(maxsize=64)
def config_fields(config: type[msgspec.Struct]) -> tuple[ConfigField, ...]:
    """The fields of a configuration in the order of its class.

    Raises:
        TypeError: if a field is of a type that no configuration has.
    """
    described = meanings(config)
    info = types.type_info(config)
    assert isinstance(info, types.StructType)
    return tuple(
        replace(
            _typed(field.name, field.type),
            default=_default(field),
            required=field.required,
            description=described.get(field.name, ""),
        )
        for field in info.fields
    )


def _default(field: types.Field) -> object:
    if field.default is not _REQUIRED:
        return field.default
    if field.default_factory is not _REQUIRED:
        return field.default_factory()
    return None


def _typed(name: str, kind: types.Type) -> ConfigField:
    """A field of a type, without a default."""
    if isinstance(kind, types.UnionType):
        return _union(name, kind)
    if isinstance(kind, types.Metadata):
        return _typed(name, kind.type)
    if isinstance(kind, types.BoolType):
        return ConfigField(name, "bool")
    if isinstance(kind, (types.IntType, types.FloatType)):
        return _number(name, kind)
    if isinstance(kind, types.StrType):
        return ConfigField(name, "text")
    if isinstance(kind, types.LiteralType):
        return ConfigField(name, "text", choices=tuple(str(value) for value in kind.values))
    if isinstance(kind, types.EnumType):
        return ConfigField(name, "text", choices=tuple(str(each.value) for each in kind.cls))
    if isinstance(kind, types.StructType):
        return ConfigField(name, "struct")
    if isinstance(kind, types.DictType):
        return replace(_typed(name, kind.value_type), kind="table")
    if isinstance(kind, (types.VarTupleType, types.ListType)):
        item = _typed(name, kind.item_type)
        return replace(item, kind="texts" if item.kind == "text" else "numbers")
    raise TypeError(f"field {name!r} is of the type {kind!r}, which no configuration has")


def _number(name: str, kind: types.IntType | types.FloatType) -> ConfigField:
    return ConfigField(
        name,
        "int" if isinstance(kind, types.IntType) else "float",
        least=kind.ge if kind.gt is None else kind.gt,
        greatest=kind.le if kind.lt is None else kind.lt,
        above_least=kind.gt is not None,
        below_greatest=kind.lt is not None,
    )


def _union(name: str, kind: types.UnionType) -> ConfigField:
    """A field that may be None, or a text instead of something else."""
    parts = [part for part in kind.types if not isinstance(part, types.NoneType)]
    texts = [part for part in parts if isinstance(part, types.StrType)]
    or_text = len(parts) > 1 and bool(texts)
    rest = [part for part in parts if not or_text or part not in texts]
    if rest and all(isinstance(part, types.StructType) for part in rest):
        rest = rest[:1]  # which one it is, a tag tells
    if len(rest) != 1:
        raise TypeError(f"field {name!r} is one of {parts!r}; one type, or it and a text, is meant")
    field = _typed(name, rest[0])
    return replace(field, optional=len(parts) < len(kind.types), or_text=or_text)


def field_at(error: msgspec.ValidationError) -> str:
    """The field of a configuration that an error is about: `windows` of "… - at `$.windows[2]`"."""
    return re.split(r"[\[.`]", str(error).rpartition("$.")[2])[0]


def meanings(config: type[msgspec.Struct]) -> dict[str, str]:
    """What a class says of its attributes, by name, each as one line."""
    described: dict[str, str] = {}
    for each in reversed(config.__mro__):  # a class adds to what it is made of
        text = inspect.cleandoc(each.__doc__ or "")
        for names, words in _items(text.partition(f"{_ATTRIBUTES}\n")[2]):
            described |= dict.fromkeys(names, " ".join(words))
    return described


def _items(section: str) -> Iterator[tuple[list[str], list[str]]]:
    """Names and words of each item of an Attributes section; deeper lines go on with an item."""
    names: list[str] = []
    words: list[str] = []
    for line in section.splitlines():
        item = _ITEM.fullmatch(line.strip())
        if line.strip() and not line.startswith(" "):
            break  # another section
        if item and not line.startswith(" " * 5):
            if names:
                yield names, words
            names, words = item[1].split(", "), item[2].split()
        else:
            words += line.split()
    if names:
        yield names, words
