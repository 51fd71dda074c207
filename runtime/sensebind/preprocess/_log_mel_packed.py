# SPDX-License-Identifier: Apache-2.0
"""What both log-mel kernels are made with: parts, and the tables packed for a call."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sensebind.preprocess._log_mel_tables import Tables

    F32 = NDArray[np.float32]
    I64 = NDArray[np.int64]

Function = TypeVar("Function", bound="Callable[..., Any]")

_LEVELS = 6
_SIZES = 5


def part(function: Function) -> Function:
    """Compile a part of a kernel; it is stored with the kernel's code, not by itself."""
    compiled: Function = njit(error_model="numpy")(function)
    return compiled


def pack(tables: Tables) -> tuple[F32, I64]:
    """Tables as float32 (n,) and int64 (n,): every argument of a kernel costs 50 ns or more."""
    t = tables
    levels = [t.preemphasis, t.dc_share, t.quiet, t.floor, t.scale, t.offset]
    sizes = [t.shift, t.magnitude, t.window.size, len(t.halves), t.twiddles.size]
    parts = [np.array(levels), t.window, t.twiddles, t.halves.ravel(), t.weights]
    numbers = np.concatenate(parts, dtype=np.float32)
    indices = np.concatenate([np.array(sizes), t.order, t.filters.ravel()], dtype=np.int64)
    numbers.flags.writeable = indices.flags.writeable = False
    return numbers, indices


@part
def unpack(numbers: F32, indices: I64) -> tuple[int, bool, F32, F32, F32, F32, F32, I64, I64]:
    """Shift, magnitude, levels, window, twiddles, halves, weights, order, filters; arrays flat."""
    shift, magnitude, length, points, factors = indices[:_SIZES]
    window = numbers[_LEVELS : _LEVELS + length]
    rest = numbers[_LEVELS + length :]
    twiddles, halves = rest[:factors], rest[factors : factors + 2 * points]
    return (
        shift,
        magnitude != 0,
        numbers[:_LEVELS],
        window,
        twiddles,
        halves,
        rest[factors + 2 * points :],
        indices[_SIZES : _SIZES + points],
        indices[_SIZES + points :],
    )
