# SPDX-License-Identifier: Apache-2.0
"""The check of the constraint sets: what it must find, without the package index."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

CI = Path(__file__).resolve().parents[2] / ".ci"
FOUND = {"numpy": "1.26.4", "ruamel-yaml": "0.19.1"}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script, for which everything resolves to FOUND."""
    spec = importlib.util.spec_from_file_location("pins", CI / "pins.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "pins", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "resolved", lambda *_: FOUND)
    monkeypatch.setattr(module, "pip", lambda *_: "pycuda (2026.1)\nAvailable versions: 2025.1, 1")
    return module


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("numpy==1.26.4\nruamel.yaml==0.19.1\npycuda==2026.1\n", []),
        ("numpy==1.26.4\npycuda==2026.1\n", ["ruamel-yaml resolves to 0.19.1, pinned is nothing"]),
        (
            "numpy==1.26.4\nruamel.yaml==0.19.1\nsix==1\npycuda==2025.1\n",
            ["six resolves to nothing, pinned is 1"],
        ),
        (
            "numpy==1.26.3\nruamel.yaml==0.19.1\npycuda==2025.1\n",
            ["numpy resolves to 1.26.4, pinned is 1.26.3"],
        ),
    ],
)
def test_pins_are_what_both_machines_resolve_to(
    script: Any, tmp_path: Path, text: str, told: list[str]
) -> None:
    (tmp_path / "set.txt").write_text(text)
    found = list(script.check(Path(), None, tmp_path / "set.txt"))
    assert found == [f"{machine}: {line}" for machine in ("aarch64", "x86_64") for line in told]


def test_what_does_not_resolve_and_what_is_no_source_is_told(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> dict[str, str]:
        raise ValueError("no wheel of numpy")

    monkeypatch.setattr(script, "resolved", refused)
    (tmp_path / "set.txt").write_text("pycuda==2099.1\n")
    first, second, third = script.check(Path(), None, tmp_path / "set.txt")
    assert (first, second) == ("aarch64: no wheel of numpy", "x86_64: no wheel of numpy")
    assert third.startswith("pycuda 2099.1 is not among")


def test_other_pins_go_below_the_head_of_a_set(script: Any, tmp_path: Path) -> None:
    path = tmp_path / "set.txt"
    path.write_text("# For a board.\nnumpy==1\npycuda==2026.1\n")
    script.write(path, FOUND)
    assert path.read_text() == (
        "# For a board.\nnumpy==1.26.4\npycuda==2026.1\nruamel-yaml==0.19.1\n"
    )
