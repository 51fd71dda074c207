# SPDX-License-Identifier: Apache-2.0
"""Launch arguments: their table, and from their texts to values."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sensebind_bringup.plan import PlanError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")
_YES_NO = {"true": True, "false": False}
_NAMESPACE = re.compile(r"[A-Za-z_]\w*(/[A-Za-z_]\w*)*")


@dataclass(frozen=True, slots=True)
class Argument:
    """One launch argument; all values are texts, as `ros2 launch` gives them.

    Attributes:
        name: as in `name:=value`.
        default: its value if none is given; None if one must be given.
        description: shown by `ros2 launch --show-args`.
    """

    name: str
    default: str | None
    description: str


class Values:
    """The arguments of one start."""

    def __init__(self, known: Sequence[Argument], given: Mapping[str, str]) -> None:
        """Fill in defaults.

        Raises:
            PlanError: for an argument that is not known, or one that is missing.
        """
        names = [argument.name for argument in known]
        for name in given:
            if name not in names:
                raise PlanError(f"there is no argument {name!r}; there are: {', '.join(names)}")
        self._values: dict[str, str] = {}
        for argument in known:
            value = given.get(argument.name, argument.default)
            if value is None:
                raise PlanError(f"{argument.name} is missing: {argument.description}")
            self._values[argument.name] = value.strip()

    def text(self, name: str) -> str:
        """The argument as it is."""
        return self._values[name]

    def flag(self, name: str) -> bool:
        """True or false.

        Raises:
            PlanError: if it is neither.
        """
        value = self._values[name]
        if value.lower() not in _YES_NO:
            raise PlanError(f"{name} is {value!r}, expected true or false")
        return _YES_NO[value.lower()]

    def number(self, name: str, least: float = 0.0) -> float:
        """A number, at least `least`.

        Raises:
            PlanError: if it is none, or too small.
        """
        value = self._values[name]
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not least <= number < float("inf"):
            raise PlanError(f"{name} is {value!r}, expected a number from {least:g} on")
        return number

    def choice(self, name: str, among: Sequence[str]) -> str:
        """One of some words.

        Raises:
            PlanError: if it is none of them.
        """
        value = self._values[name]
        if value not in among:
            raise PlanError(f"{name} is {value!r}, expected one of {', '.join(among)}")
        return value

    def names(self, name: str) -> tuple[str, ...]:
        """Words between commas."""
        words = (word.strip() for word in self._values[name].split(","))
        return tuple(word for word in words if word)

    def namespace(self, name: str) -> str:
        """A namespace without slashes at its ends; "" for none.

        Raises:
            PlanError: if ROS allows no such name.
        """
        value = self._values[name].strip("/")
        if value and not _NAMESPACE.fullmatch(value):
            raise PlanError(
                f"{name} is {value!r}, expected letters, digits and underscores, with / between"
            )
        return value

    def remappings(self, name: str) -> tuple[tuple[str, str], ...]:
        """Pairs "from:=to" with blanks between.

        Raises:
            PlanError: if one of them is no pair.
        """
        pairs = [word.partition(":=") for word in self._values[name].split()]
        for source, separator, target in pairs:
            if not (source and separator and target):
                raise PlanError(f"{name} has {source + separator + target!r}, expected from:=to")
        return tuple((source, target) for source, _, target in pairs)

    def file(self, name: str) -> str:
        """Path of a file or folder that is there; "~" is the user's home.

        Raises:
            PlanError: if it is not there.
        """
        path = Path(self._values[name]).expanduser()
        if not path.exists():
            raise PlanError(f"{name} is {self._values[name]!r}, which is not there")
        return str(path)


def default_python() -> str:
    """The interpreter of the virtual environment that is active, else the one that runs this."""
    environment = os.environ.get("VIRTUAL_ENV")
    python = Path(environment) / "bin" / "python" if environment else None
    return str(python) if python is not None and python.is_file() else sys.executable


def parse(words: Sequence[str]) -> dict[str, str]:
    """Arguments as they are written behind `ros2 launch`: `name:=value`.

    Raises:
        PlanError: for a word of another form, or a name given twice.
    """
    given: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition(":=")
        if not separator or not name:
            raise PlanError(f"{word!r} is no argument, expected name:=value")
        if name in given:
            raise PlanError(f"{name} is given twice")
        given[name] = value
    return given
