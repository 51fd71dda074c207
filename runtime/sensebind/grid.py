# SPDX-License-Identifier: Apache-2.0
"""Exact time arithmetic: seconds as integer nanoseconds, and the points of a window.

Floats are read as the shortest decimals that mean them, so 0.1 s is 100 000 000 ns and 400 Hz has
a period of 2 500 000 ns, whatever binary fractions say.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

NS_PER_S = 1_000_000_000
MAX_STAMP_NS = 1 << 62
"""Stamps lie below; differences of such, and sums of two, are int64."""


@lru_cache(maxsize=256)
def exact(value: float) -> Fraction:
    """A finite float as the shortest decimal that means it."""
    return Fraction(repr(float(value)))


def quotient(dividend: int, divisor: int) -> int:
    """The nearest whole number, of two the even one: `round` of a Fraction, but faster.

    Args:
        dividend: any.
        divisor: above 0.
    """
    whole, rest = divmod(dividend, divisor)
    return whole + (2 * rest > divisor or (2 * rest == divisor and whole % 2 == 1))


@lru_cache(maxsize=256)
def nanoseconds(seconds: float) -> int:
    """Seconds as whole nanoseconds.

    Raises:
        InputError: if they are not finite.
    """
    if not math.isfinite(seconds):
        raise InputError(f"a time of {seconds} s is not finite")
    return round(exact(seconds) * NS_PER_S)


@lru_cache(maxsize=64)
def grid_offsets_ns(length_ns: int, rate_hz: float) -> NDArray[np.int64]:
    """How far before a window's end its points lie.

    Returns:
        int64 (T,), T = length * rate rounded, falling from about the length to one period; each
        rounded to the nearest nanosecond; read-only.

    Raises:
        InputError: if length and rate leave no point or are not finite.
    """
    usable = math.isfinite(rate_hz) and rate_hz > 0 and length_ns > 0
    rate = exact(rate_hz) if usable else Fraction(0)
    count = round(Fraction(length_ns, NS_PER_S) * rate)
    if count < 1:
        raise InputError(
            f"a window of {length_ns / NS_PER_S:g} s at rate_hz={rate_hz} has no points; both must "
            "be positive and finite, and their product at least 1"
        )
    offsets = np.array([round(k * NS_PER_S / rate) for k in range(count, 0, -1)], np.int64)
    offsets.flags.writeable = False
    return offsets
