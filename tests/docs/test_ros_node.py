# SPDX-License-Identifier: Apache-2.0
"""docs/ros.md against the node's code."""

from __future__ import annotations

from pathlib import Path

from sensebind_ros.tables import TABLES, up_to_date

PAGE = (Path(__file__).resolve().parents[2] / "docs/ros.md").read_text(encoding="utf-8")


def test_tables_are_those_of_the_code() -> None:
    """If not: python -m sensebind_ros.tables docs/ros.md."""
    assert up_to_date(PAGE) == PAGE
    assert all(f"<!-- table: {name} -->" in PAGE for name in TABLES)


def test_a_table_is_replaced() -> None:
    page = "before\n<!-- table: services -->\nold\n<!-- end -->\nbehind\n"
    new = up_to_date(page)
    assert new.startswith("before\n<!-- table: services -->\n| service | type | what |\n| --- |")
    assert new.endswith("\n<!-- end -->\nbehind\n")
    assert "old" not in new
