# SPDX-License-Identifier: Apache-2.0
"""Commands of other packages: found by name, loaded only when run, explained when they cannot."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

from sensebind.cli import external

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.runtime.cli.conftest import Ran

    Run = Callable[..., Ran]

MODULE = """
import typer
{top}
app = typer.Typer()

@app.command()
def build(name: str) -> None:
    {inside}
    typer.echo(f"built {{name}}")

@app.command()
def other() -> None:
    raise KeyboardInterrupt
"""


@pytest.fixture
def provide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a command from a module with given lines."""

    def install(name: str, *, top: str = "", inside: str = "pass", attribute: str = "app") -> None:
        (tmp_path / "foreign_commands.py").write_text(MODULE.format(top=top, inside=inside))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "foreign_commands", raising=False)
        point = EntryPoint(name, f"foreign_commands:{attribute}", external.GROUP)
        monkeypatch.setattr(external, "commands", lambda: {name: point})

    return install


def test_it_runs_with_its_own_arguments(run: Run, provide: Callable[..., None]) -> None:
    provide("recipe")
    assert run("recipe", "build", "demo").out == "built demo\n"


def test_its_usage_errors_name_the_whole_command(run: Run, provide: Callable[..., None]) -> None:
    provide("recipe")
    ran = run("recipe", "build")
    assert ran.code == 2
    assert "see: sensebind recipe build --help" in ran.err


def test_the_help_lists_it_without_loading_it(run: Run, provide: Callable[..., None]) -> None:
    provide("recipe", top="raise RuntimeError('loaded')")
    ran = run("--help")
    assert ran.code == 0
    assert "recipe" in ran.out
    assert "Build the shipped bundles" in ran.out


def test_a_stranger_is_listed_with_its_package(run: Run, provide: Callable[..., None]) -> None:
    provide("dance")
    assert "Provided by foreign_commands." in run("--help").out


@pytest.mark.parametrize("place", ["top", "inside"])
def test_a_missing_package_names_the_extra(
    run: Run, provide: Callable[..., None], place: str
) -> None:
    provide("recipe", **{place: "import torch_that_is_not_there.nn"})
    ran = run("recipe", "build", "demo")
    assert ran.code == 2
    assert "module 'torch_that_is_not_there' is missing" in ran.err
    assert "pip install 'sensebind[recipes]'" in ran.err


def test_a_missing_package_of_a_stranger_is_named(run: Run, provide: Callable[..., None]) -> None:
    provide("dance", top="import music_that_is_not_there")
    ran = run("dance")
    assert ran.code == 2
    assert "'sensebind dance' needs the module 'music_that_is_not_there'" in ran.err


def test_a_broken_installation_of_ours_is_not_explained_away(
    run: Run, provide: Callable[..., None]
) -> None:
    provide("recipe", top="import sensebind.nothing")
    with pytest.raises(ModuleNotFoundError, match=r"sensebind\.nothing"):
        run("recipe", "build", "demo")


def test_what_is_no_application_is_refused(run: Run, provide: Callable[..., None]) -> None:
    provide("dance", attribute="MODULE_NAME", top="MODULE_NAME = 3")
    ran = run("dance")
    assert ran.code == 2
    assert "is a int, expected a typer.Typer" in ran.err


def test_an_interruption_is_exit_130(run: Run, provide: Callable[..., None]) -> None:
    provide("recipe")
    ran = run("recipe", "other")
    assert ran.code == 130
    assert ran.err == "error: interrupted\n"
