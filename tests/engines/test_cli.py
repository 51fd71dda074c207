# SPDX-License-Identifier: Apache-2.0
"""`sensebind recipe`."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from sensebind.errors import InputError, MissingExtraError
from sensebind_engines.cli import recipe_app
from sensebind_engines.recipes import RECIPES

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

RUNNER = CliRunner()


def test_list_names_every_recipe() -> None:
    result = RUNNER.invoke(recipe_app, ["list"])
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == list(RECIPES)


def test_build_hands_over_folders_and_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Path, Path, dict[str, int]]] = []

    def build(out: Path, cache: Path, **options: int) -> Path:
        calls.append((out, cache, options))
        return out

    monkeypatch.setitem(sys.modules, RECIPES["demo"].module, SimpleNamespace(build=build))
    out, cache = str(tmp_path / "out"), str(tmp_path / "cache")
    arguments = ["build", "demo", "--out", out, "--cache", cache]
    assert RUNNER.invoke(recipe_app, arguments).exit_code == 0
    assert RUNNER.invoke(recipe_app, [*arguments, "--seed", "4"]).exit_code == 0
    assert [options for _, _, options in calls] == [{}, {"seed": 4}]
    assert str(calls[0][0]) == out
    assert str(calls[0][1]) == cache


def test_unknown_recipe_is_refused(tmp_path: Path) -> None:
    result = RUNNER.invoke(recipe_app, ["build", "soup", "--out", str(tmp_path)])
    assert isinstance(result.exception, InputError)
    assert "no recipe 'soup'; there are: demo" in str(result.exception)


def test_a_place_that_cannot_be_written_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_given: object, **_more: object) -> None:
        raise AssertionError("it worked for hours")

    monkeypatch.setitem(sys.modules, RECIPES["demo"].module, SimpleNamespace(build=build))
    (tmp_path / "file").write_text("")
    result = RUNNER.invoke(recipe_app, ["build", "demo", "--out", str(tmp_path / "file")])
    assert "cannot make the folder" in str(result.exception)


def test_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, RECIPES["demo"].module, None)
    result = RUNNER.invoke(recipe_app, ["build", "demo", "--out", str(tmp_path)])
    assert isinstance(result.exception, MissingExtraError)
    assert "pip install 'sensebind[recipes]'" in str(result.exception)


def test_importing_the_commands_needs_no_torch() -> None:
    code = "import sys, sensebind_engines.cli; print('torch' in sys.modules)"
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
