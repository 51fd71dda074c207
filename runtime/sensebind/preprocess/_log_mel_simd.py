# SPDX-License-Identifier: Apache-2.0
"""Log-mel kernel of explicit vector instructions: one frame per lane, as many as fit a register.

The same steps as `_log_mel_lanes.py` with the vectors of `_simd.py`, transformed in place. A
group's last lanes repeat a frame where frames run out; only used lanes are written.
Vectors are addressed by the index of their first float, a multiple of LANES.
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind.preprocess._compile import kernel
from sensebind.preprocess._log_mel_packed import part, unpack
from sensebind.preprocess._simd import (
    LANES,
    at_least,
    load,
    load_columns,
    log,
    muladd,
    splat,
    splat_at,
    square_root,
    store,
    store_first,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.preprocess._simd import Vector

    Complex = tuple[Vector, Vector]
    F32 = NDArray[np.float32]
    I64 = NDArray[np.int64]

PAIR = 2 * LANES
"""A complex number per lane: the real parts, then the imaginary ones."""

_CACHE_LINE = 64
_ZERO = np.float32(0)


@kernel
def log_mel_simd(samples: F32, out: F32, numbers: F32, indices: I64) -> None:
    """Fill `out` (mel_bins, frames) from samples float32 (n,) with n at least what they span."""
    shift, magnitude, levels, window, twiddles, halves, weights, order, filters = unpack(
        numbers, indices
    )
    preemphasis, dc_share, quiet, floor, scale, offset = levels
    points = halves.size // 2
    memory = np.empty(points * (PAIR + LANES) + _CACHE_LINE // 4, np.float32)
    # A vector that straddles two cache lines costs twice.
    skipped = (-memory.ctypes.data % _CACHE_LINE) // 4
    rows = memory[skipped : skipped + points * PAIR]
    power = memory[skipped + points * PAIR :]
    length, frames = window.size, out.shape[1]
    for start in range(0, frames, LANES):
        used = min(LANES, frames - start)
        for block in range((length + LANES - 1) // LANES):
            n = min(block * LANES, length - LANES)
            load_columns(samples, start * shift + n, shift, used, quiet, rows, n * LANES)
        _shape(rows, window, preemphasis, dc_share)
        _transform(rows, twiddles, points)
        _power(rows, halves, order, magnitude, power)
        _filter(power, filters, weights, floor, scale, offset, used, start, out)


@part
def _shape(rows: F32, window: F32, preemphasis: float, dc_share: float) -> None:
    """Take the mean off, pre-emphasise and window, in place; zeros after the frame."""
    length = window.size
    a = b = c = d = splat(_ZERO)
    for n in range(0, length - 3, 4):
        a = a + load(rows, n * LANES)
        b = b + load(rows, (n + 1) * LANES)
        c = c + load(rows, (n + 2) * LANES)
        d = d + load(rows, (n + 3) * LANES)
    for n in range(length - length % 4, length):
        a = a + load(rows, n * LANES)
    mean = splat(dc_share) * ((a + b) + (c + d))
    minus = splat(-preemphasis)
    before = load(rows, 0) - mean
    for n in range(length):
        sample = load(rows, n * LANES) - mean
        store(rows, n * LANES, splat_at(window, n) * muladd(minus, before, sample))
        before = sample
    for n in range(length, rows.size // LANES):
        store(rows, n * LANES, splat(_ZERO))


@part
def _transform(rows: F32, twiddles: F32, points: int) -> None:
    """Complex Fourier transform in place, radix 4; frequencies end where `order` tells."""
    size, at = points, 0
    while size >= 4:
        quarter = size // 4
        for j in range(quarter):
            w1 = splat_at(twiddles, at), splat_at(twiddles, at + 1)
            w2 = splat_at(twiddles, at + 2), splat_at(twiddles, at + 3)
            w3 = splat_at(twiddles, at + 4), splat_at(twiddles, at + 5)
            for first in range(j * PAIR, points * PAIR, size * PAIR):
                _butterfly(rows, first, quarter * PAIR, w1, w2, w3)
            at += 6
        size = quarter
    if size == 2:
        for first in range(0, points * PAIR, 2 * PAIR):
            for part in range(first, first + PAIR, LANES):
                low, high = load(rows, part), load(rows, part + PAIR)
                store(rows, part, low + high)
                store(rows, part + PAIR, low - high)


@part
def _butterfly(rows: F32, first: int, step: int, w1: Complex, w2: Complex, w3: Complex) -> None:
    """Transform four numbers `step` apart and turn all but the first."""
    ar, ai = load(rows, first), load(rows, first + LANES)
    br, bi = load(rows, first + step), load(rows, first + step + LANES)
    cr, ci = load(rows, first + 2 * step), load(rows, first + 2 * step + LANES)
    dr, di = load(rows, first + 3 * step), load(rows, first + 3 * step + LANES)
    sum_r, sum_i, gap_r, gap_i = ar + cr, ai + ci, ar - cr, ai - ci
    odd_r, odd_i, turn_r, turn_i = br + dr, bi + di, bi - di, dr - br
    store(rows, first, sum_r + odd_r)
    store(rows, first + LANES, sum_i + odd_i)
    _store_turned(rows, first + step, gap_r + turn_r, gap_i + turn_i, w1)
    _store_turned(rows, first + 2 * step, sum_r - odd_r, sum_i - odd_i, w2)
    _store_turned(rows, first + 3 * step, gap_r - turn_r, gap_i - turn_i, w3)


@part
def _store_turned(rows: F32, at: int, re: Vector, im: Vector, w: Complex) -> None:
    """Store a complex product."""
    minus = splat(_ZERO) - im
    store(rows, at, muladd(re, w[0], minus * w[1]))
    store(rows, at + LANES, muladd(re, w[1], im * w[0]))


@part
def _power(rows: F32, halves: F32, order: I64, magnitude: bool, power: F32) -> None:
    """Four times the power (twice the magnitude) of all frequencies but 0 and Nyquist's."""
    points = halves.size // 2
    for k in range(1, points // 2 + 1):
        wr, wi = splat_at(halves, 2 * k), splat_at(halves, 2 * k + 1)
        a, b = order[k] * PAIR, order[points - k] * PAIR
        ar, ai = load(rows, a), load(rows, a + LANES)
        br, bi = load(rows, b), load(rows, b + LANES)
        even_r, even_i, odd_r, odd_i = ar + br, ai - bi, ai + bi, br - ar
        turn_r = muladd(odd_r, wr, (splat(_ZERO) - odd_i) * wi)
        turn_i = muladd(odd_r, wi, odd_i * wr)
        xr, xi, yr, yi = even_r + turn_r, even_i + turn_i, even_r - turn_r, even_i - turn_i
        store(power, k * LANES, muladd(xr, xr, xi * xi))
        store(power, (points - k) * LANES, muladd(yr, yr, yi * yi))
    if magnitude:
        for k in range(1, points):
            store(power, k * LANES, square_root(load(power, k * LANES)))


@part
def _filter(
    power: F32,
    filters: I64,
    weights: F32,
    floor: float,
    scale: float,
    offset: float,
    used: int,
    start: int,
    out: F32,
) -> None:
    """Sum each filter's band, take the logarithm and normalise."""
    for m in range(filters.size // 3):
        row, begin, end = filters[3 * m] * LANES, filters[3 * m + 1], filters[3 * m + 2]
        total = splat(_ZERO)
        for t in range(begin, end):
            total = muladd(splat_at(weights, t), load(power, row), total)
            row += LANES
        value = muladd(log(at_least(total, splat(floor))), splat(scale), splat(offset))
        if used == LANES:
            store(out[m], start, value)
        else:
            store_first(out[m], start, value, used)
