# SPDX-License-Identifier: Apache-2.0
"""The page on errors quotes messages that the code really has."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
MESSAGES = re.findall(r"^\| `([^`]+)` \|", TEXT, re.MULTILINE)
PACKAGES = (
    "runtime/sensebind", "engines/sensebind_engines", "calibration/sensebind_calibration",
    "ros_nodes/sensebind_ros", "launch/sensebind_bringup",
)  # fmt: skip
_VALUE = "…"


def literals(tree: ast.AST) -> Iterator[str]:
    """Every text of a module; what is filled in is an ellipsis."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else _VALUE
                for part in node.values
            )


@lru_cache
def all_texts() -> str:
    """Texts of all modules, one on a line."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in paths)
    return "\n".join(text for tree in trees for text in literals(tree))


@pytest.mark.parametrize("message", MESSAGES)
def test_the_message_is_in_the_code(message: str) -> None:
    assert message.rstrip(f"{_VALUE} ") in all_texts()


def test_the_page_has_messages_and_a_made_up_one_would_be_found() -> None:
    assert len(MESSAGES) >= 30
    assert "the flux capacitor …" not in all_texts()


def test_what_is_filled_in_is_an_ellipsis() -> None:
    assert "… is …, expected …" in literals(ast.parse("f'{a} is {b}, expected {c!r}'"))
