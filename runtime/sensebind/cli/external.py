# SPDX-License-Identifier: Apache-2.0
"""Commands of other packages, found by the entry-point group `sensebind.commands`.

The value of an entry point is a `typer.Typer`. It is loaded only when its command runs.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from sensebind.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoint

GROUP = "sensebind.commands"

_OURS = {
    "calibrate": ("calibrate", "Measure sensors, once, for every later run."),
    "evaluate": ("train", "Measure a bundle: zero-shot, retrieval, sense against sense."),
    "recipe": ("recipes", "Build the shipped bundles and recordings from their sources."),
    "train": ("train", "Train the encoders of a binding graph into a shared space."),
    "engine": ("tensorrt", "Build and look after TensorRT plans of a bundle's encoders."),
    "export": ("train", "Make a bundle from a finished training run."),
    "import-imagebind": ("train", "Make a bundle from your own ImageBind weights."),
}
"""Name to the extra that installs what the command needs, and its help in the list of commands."""


def commands() -> dict[str, EntryPoint]:
    """Entry points of the installed commands by name, sorted."""
    from importlib.metadata import entry_points  # slow to import, and seldom needed

    points = {point.name: point for point in entry_points(group=GROUP)}
    return {name: points[name] for name in sorted(points)}


def described(point: EntryPoint) -> str:
    """One line of help, told without loading the command."""
    if point.name in _OURS:
        return _OURS[point.name][1]
    return f"Provided by {point.value.partition('.')[0].partition(':')[0]}."


def load(point: EntryPoint) -> typer.Typer:
    """Import the command's application.

    Raises:
        MissingExtraError: naming the extra, if a package it needs is not installed.
        InputError: naming the module, if the command is not one of ours.
    """
    with explaining_missing_packages(point.name):
        application = point.load()
    if not isinstance(application, typer.Typer):
        raise InputError(
            f"the command {point.name!r} is provided by {point.value!r}, which is a "
            f"{type(application).__name__}, expected a typer.Typer; update the package it is from"
        )
    return application


@contextmanager
def explaining_missing_packages(name: str | None) -> Iterator[None]:
    """Turn a module missing in the command `name` into an error that says what to install.

    A module missing in a built-in command (`name` is None) is a broken installation and passes.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = error.name or str(error)
        if name is None or missing.partition(".")[0] == "sensebind":
            raise
        if name in _OURS:
            what = f"'sensebind {name}' (module {missing!r} is missing)"
            raise MissingExtraError(what, _OURS[name][0]) from error
        raise InputError(
            f"'sensebind {name}' needs the module {missing!r}, which is not installed; "
            "install the package that provides it"
        ) from error
