# SPDX-License-Identifier: Apache-2.0
"""One decorator for every kernel: compiled once per machine, without the GIL."""

from __future__ import annotations

import hashlib
from functools import lru_cache
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

    Numba looks only at the file a kernel is in to tell whether its code is stale, but the code
    holds the kernels and constants of other files too. So what is kept lies in a folder that is
    named after all of them, in SenseBind's cache (or in NUMBA_CACHE_DIR).
    """
    chosen = config.CACHE_DIR
    config.CACHE_DIR = str(_folder(chosen))
    try:
        compiled: Function = njit(cache=True, **_OPTIONS)(function)
    finally:
        config.CACHE_DIR = chosen
    return compiled


@lru_cache
def _folder(chosen: str) -> Path:
    base = Path(chosen) if chosen else cache_folder() / "numba"
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("_*.py")):
        digest.update(source.read_bytes())
    return base / digest.hexdigest()[:16]


def kernel_cache() -> Path:
    """Folder in which the machine code of the kernels as they are now is kept."""
    return _folder(config.CACHE_DIR)
