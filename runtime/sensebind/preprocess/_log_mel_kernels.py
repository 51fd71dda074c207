# SPDX-License-Identifier: Apache-2.0
"""Which log-mel kernel serves this machine, compiled for the one signature all callers share."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from numba import types
from numba.core.dispatcher import Dispatcher

from sensebind.errors import InputError
from sensebind.preprocess._log_mel_lanes import log_mel_lanes

if TYPE_CHECKING:
    from collections.abc import Callable

Kernel = Literal["auto", "simd", "portable"]

_INPUT = types.Array(types.float32, 1, "C", readonly=True)
_OUTPUT = types.Array(types.float32, 2, "A")
_TABLE = types.Array(types.float32, 2, "C", readonly=True)
_INDEX = types.Array(types.int64, 1, "C", readonly=True)
_SPANS = types.Array(types.int64, 2, "C", readonly=True)
_SIGNATURE = types.void(
    _INPUT, _OUTPUT, types.int64,
    _INPUT, _INPUT, _TABLE, _INDEX, _SPANS, _INPUT,
    *[types.float32] * 6, types.boolean,
)  # fmt: skip
"""Samples, features, then `Tables`. Without it every memory layout would be compiled apart."""


@lru_cache(maxsize=3)
def compiled(kernel: Kernel) -> Callable[..., None]:
    """Compile a kernel or load it from disk; "auto" is the fastest that works here."""
    if kernel == "simd":
        raise InputError("this machine has no SIMD kernel; use kernel='portable'")
    return _for_signature(log_mel_lanes)


def _for_signature(kernel: Callable[..., None]) -> Callable[..., None]:
    if isinstance(kernel, Dispatcher):  # it is a plain function where Numba is switched off
        kernel.compile(_SIGNATURE)
        kernel.disable_compile()
    return kernel
