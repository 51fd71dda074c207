# SPDX-License-Identifier: Apache-2.0
"""`sensebind recipe`: build what the project ships. Found through `sensebind.commands`."""

import importlib
from pathlib import Path
from typing import Annotated

import typer

from sensebind.cli.folders import made_folder
from sensebind.errors import InputError, MissingExtraError
from sensebind.storage import cache_folder
from sensebind_engines.recipes import RECIPES

recipe_app = typer.Typer(
    help="Build the bundles and recordings that SenseBind ships.", add_completion=False
)


@recipe_app.command("list")
def list_recipes() -> None:
    """List the recipes and what they make."""
    width = max(map(len, RECIPES))
    for name, recipe in RECIPES.items():
        typer.echo(f"{name:<{width}}  {recipe.summary}")


@recipe_app.command("build")
def build_recipe(
    name: Annotated[str, typer.Argument(help="Which recipe; see `sensebind recipe list`.")],
    out: Annotated[Path, typer.Option(help="New folder for the result.")],
    cache: Annotated[
        Path | None, typer.Option(help="Folder for intermediate data, reused by later builds.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of everything random; by default the recipe's own.")
    ] = None,
) -> None:
    """Build one recipe into a folder (minutes)."""
    if name not in RECIPES:
        raise InputError(f"no recipe {name!r}; there are: {', '.join(RECIPES)}")
    try:
        module = importlib.import_module(RECIPES[name].module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"The recipe {name!r} ({error.name})", "recipes") from error
    made_folder(out)
    chosen = {} if seed is None else {"seed": seed}
    made = module.build(out, cache or cache_folder() / "recipes", **chosen)
    typer.echo(f"built {name}: {made}")
