# SPDX-License-Identifier: Apache-2.0
"""One decorator for every kernel: compiled once per machine, without the GIL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from numba import config, njit

from sensebind.storage import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable

Function = TypeVar("Function", bound="Callable[..., Any]")

_OPTIONS = {"nogil": True, "error_model": "numpy"}


def kernel(function: Function) -> Function:
    """Compile `function` with Numba on first call and keep the machine code on disk.

    Numba stores it beside the source or in the user's cache. Where it can write to neither (a
    read-only install without a home) it refuses; SenseBind's cache folder is used then.
    """
    try:
        compiled: Function = njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:
        compiled = _cached_elsewhere(function)
    return compiled


def _cached_elsewhere(function: Function) -> Function:
    chosen = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder() / "numba")
    try:
        compiled: Function = njit(cache=True, **_OPTIONS)(function)
    finally:
        config.CACHE_DIR = chosen
    return compiled


@kernel
def _nothing() -> None:
    pass


def kernel_cache() -> Path:
    """Folder in which the machine code of this package's kernels is kept."""
    compiled: Any = _nothing
    return Path(compiled.stats.cache_path)
