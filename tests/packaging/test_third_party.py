# SPDX-License-Identifier: Apache-2.0
"""THIRD_PARTY.toml against the files: every shipped data file is accounted for, exactly once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.support.toml import read_toml

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = [
    "runtime/sensebind", "engines/sensebind_engines", "calibration/sensebind_calibration",
    "ros_nodes/sensebind_ros/sensebind_ros", "launch/sensebind_bringup/config", "deploy",
]  # fmt: skip
CODE = {".py", ".typed"}
LIST: dict[str, list[dict[str, Any]]] = read_toml(ROOT / "THIRD_PARTY.toml")
FILES = LIST.get("file", [])
OURS = LIST.get("ours", [])


def shipped() -> set[str]:
    """Every file of the packages that is not code."""
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in CODE and "__pycache__" not in path.parts
    }


def ours() -> list[str]:
    """Files the globs of the `ours` entries match."""
    return [
        path.relative_to(ROOT).as_posix()
        for entry in OURS
        for path in ROOT.glob(entry["path"])
        if path.is_file()
    ]


def test_every_shipped_file_is_listed_exactly_once() -> None:
    listed = [entry["path"] for entry in FILES] + ours()
    twice = sorted({path for path in listed if listed.count(path) > 1})
    assert not twice, f"listed more than once: {twice}"
    assert set(listed) == shipped()


@pytest.mark.parametrize("entry", FILES, ids=lambda entry: entry["path"])
def test_file_of_others(entry: dict[str, str]) -> None:
    assert set(entry) == {
        "path", "source", "version", "licence", "evidence", "sha256", "changes",
    }  # fmt: skip
    assert all(value.strip() for value in entry.values())
    content = (ROOT / entry["path"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: entry["path"])
def test_file_of_ours(entry: dict[str, str]) -> None:
    assert set(entry) == {"path", "made"}
    assert entry["made"].strip()
    assert any(ROOT.glob(entry["path"])), f"{entry['path']} matches nothing"
