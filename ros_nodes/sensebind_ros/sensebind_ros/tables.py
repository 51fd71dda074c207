# SPDX-License-Identifier: Apache-2.0
"""The tables of the documentation, from the code.

`python -m sensebind_ros.tables PAGE` brings a page up to date. A page has the tables between lines
`<!-- table: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sensebind.sources.base import StreamKind
from sensebind.sources.messages.senses import SENSES
from sensebind_ros.interface import ANSWERED, PUBLISHED, STREAM
from sensebind_ros.settings import When, general_parameters, stream_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sensebind_ros.settings import Parameter

_KINDS = {
    StreamKind.SAMPLES: "imu",
    StreamKind.UNIFORM: "audio",
    StreamKind.FRAMES: "vision, depth, thermal",
}
_TYPES = {
    "bool": "true or false",
    "texts": "list of texts",
    "numbers": "list of numbers",
    "int": "whole number",
}
_WHEN = {
    When.AT_ONCE: "at once",
    When.NEW_RUN: "new run",
    When.NOT_ACTIVE: "not active",
    When.NOT_CONFIGURED: "not configured",
    When.AT_START: "at start",
}


def up_to_date(page: str) -> str:
    """The text of a page with its tables as the code has them.

    Raises:
        KeyError: for a table there is none of.
    """
    pattern = re.compile(r"(<!-- table: (\w+) -->\n).*?(\n<!-- end -->)", re.DOTALL)
    return pattern.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], page)


def _parameters(parameters: Iterable[Parameter]) -> str:
    return _table(("parameter", "type", "default", "changed", "what"), map(_row, parameters))


def _row(parameter: Parameter) -> Sequence[str]:
    field = parameter.field
    kind = _TYPES.get(field.kind, "number" if field.kind == "float" else field.kind)
    kind += " or text" if field.or_text else ""
    default = "" if field.default in (None, ()) else f"`{field.default}`"
    limits = f" ({field.expected})" if field.expected else ""
    return (f"`{parameter.name}`", kind, default, _WHEN[parameter.when], field.description + limits)


def _inputs() -> str:
    rows = [(f"`{name}`", _KINDS[sense.kind]) for name, sense in SENSES.items()]
    return _table(("message type", "read as"), rows)


def _published() -> str:
    return _table(
        ("topic", "type", "what"), [(f"`{o.name}`", f"`{o.type}`", o.what) for o in PUBLISHED]
    )


def _answered() -> str:
    return _table(
        ("service", "type", "what"), [(f"`{o.name}`", f"`{o.type}`", o.what) for o in ANSWERED]
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    cells = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


TABLES: dict[str, Callable[[], str]] = {
    "inputs": _inputs,
    "published": _published,
    "services": _answered,
    "node": lambda: _parameters(general_parameters()),
    "streams": lambda: _parameters(stream_parameters(STREAM)),
}


def main(arguments: Sequence[str]) -> None:
    """Bring pages up to date."""
    for path in map(Path, arguments):
        path.write_text(up_to_date(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
