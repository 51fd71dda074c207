# SPDX-License-Identifier: Apache-2.0
"""Which log-mel kernel serves this machine, compiled for the one signature all callers share."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import logging
from functools import lru_cache
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Literal

from numba import config, types
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError

from sensebind.errors import InputError
from sensebind.preprocess._log_mel_lanes import log_mel_lanes

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

Kernel = Literal["auto", "simd", "portable"]

_INPUT = types.Array(types.float32, 1, "C", readonly=True)
_OUTPUT = types.Array(types.float32, 2, "A")
_INDICES = types.Array(types.int64, 1, "C", readonly=True)
_SIGNATURE = types.void(_INPUT, _OUTPUT, _INPUT, _INDICES)
"""Samples, features, packed tables. Without it every memory layout would be compiled apart."""

_FAILURES = (ImportError, AttributeError, TypeError, ValueError, RuntimeError, NumbaError)
"""What using another release of Numba or llvmlite, or an unknown processor, may raise."""


_COMPILING = Lock()


def compiled(kernel: Kernel) -> Callable[..., None]:
    """Compile a kernel or load it from disk; "auto" is "simd" where that works.

    Raises:
        InputError: if "simd" was asked for and does not work, saying why.
    """
    if kernel == "portable":
        return _for_signature(log_mel_lanes)
    try:
        return _simd()
    except _FAILURES as error:
        if kernel == "simd":
            raise InputError(
                f"the SIMD kernel does not work on this machine ({error}); use kernel='portable'"
            ) from error
        _tell_of_fallback(str(error))
        return compiled("portable")


@lru_cache(maxsize=1)
def _tell_of_fallback(reason: str) -> None:
    """Once: every spectrogram, of each stream and file, asks for its kernel."""
    _log.warning("log-mel falls back to its portable, slower kernel: %s", reason)


def _simd() -> Callable[..., None]:
    if config.DISABLE_JIT:
        raise RuntimeError("Numba is switched off by NUMBA_DISABLE_JIT")
    module = import_module("sensebind.preprocess._log_mel_simd")
    return _for_signature(module.log_mel_simd)


def _for_signature(kernel: Callable[..., None]) -> Callable[..., None]:
    if isinstance(kernel, Dispatcher):  # a plain function where Numba is switched off
        with _COMPILING:
            if not kernel.signatures:
                kernel.compile(_SIGNATURE)
                kernel.disable_compile()
    return kernel
