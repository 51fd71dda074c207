# SPDX-License-Identifier: Apache-2.0
"""Portable log-mel kernel: plain loops over 16 frames at a time.

Arrays hold one row per sample or frequency and one lane per frame, so that every inner loop does
the same to neighbouring floats: compilers turn it into vector instructions of any width. No step
mixes lanes or depends on how many are in use; a frame's features never depend on its neighbours.
`spectrogram.py` validates; `_log_mel_tables.py` says what the tables hold.
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind.preprocess._compile import kernel
from sensebind.preprocess._log_mel_packed import part, unpack
from sensebind.preprocess._log_polynomial import LN2_HIGH, LN2_LOW, LOG_TERMS, SQRT_HALF_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    I64 = NDArray[np.int64]

LANES = 16

_ONE = np.float32(1)
_HALF = np.float32(0.5)
_LN2_HIGH, _LN2_LOW = np.float32(LN2_HIGH), np.float32(LN2_LOW)
_T0, _T1, _T2, _T3, _T4, _T5, _T6, _T7 = (np.float32(term) for term in LOG_TERMS)
_SQRT_HALF_BITS = np.int32(SQRT_HALF_BITS)
_MANTISSA_BITS = np.int32(23)


@kernel
def log_mel_lanes(samples: F32, out: F32, numbers: F32, indices: I64) -> None:
    """Fill `out` (mel_bins, frames) from samples float32 (n,) with n at least what they span."""
    shift, magnitude, levels, window, twiddles, halves, weights, _, filters = unpack(
        numbers, indices
    )
    preemphasis, dc_share, quiet, floor, scale, offset = levels
    points = halves.size // 2
    frames = out.shape[1]
    rows = np.empty((2, points * LANES), np.float32)
    spare = np.empty((2, points * LANES), np.float32)
    for start in range(0, frames, LANES):
        used = min(LANES, frames - start)
        _load(samples, start * shift, shift, used, window.size, quiet, rows)
        _shape(rows, spare[0], window, preemphasis, dc_share)
        spectrum = _transform(rows, spare, twiddles, points)
        power = spare[0] if spectrum is rows else rows[0]
        _power(spectrum, halves, magnitude, power)
        _filter(power, filters, weights, floor, scale, offset, used, start, out)


@part
def _load(
    samples: F32, first: int, shift: int, used: int, length: int, quiet: float, rows: F32
) -> None:
    """Frames into lanes, even samples into rows[0], odd ones into rows[1], zeros after them."""
    for lane in range(LANES):
        begin = first + min(lane, used - 1) * shift
        frame = samples[begin : begin + length]
        for n in range(length):
            loud = abs(frame[n]) >= quiet or frame[n] != frame[n]
            rows[n & 1, (n >> 1) * LANES + lane] = frame[n] if loud else np.float32(0)
    for n in range(length, rows.shape[1] // LANES * 2):
        rows[n & 1, (n >> 1) * LANES : ((n >> 1) + 1) * LANES] = 0


@part
def _shape(rows: F32, sums: F32, window: F32, preemphasis: float, dc_share: float) -> None:
    """Take the mean off, pre-emphasise and window, in place."""
    partial = sums[: 4 * LANES]
    partial[:] = 0
    for n in range(window.size):
        row = rows[n & 1, (n >> 1) * LANES : ((n >> 1) + 1) * LANES]
        part = sums[(n & 3) * LANES : ((n & 3) + 1) * LANES]
        for lane in range(LANES):
            part[lane] += row[lane]
    mean = sums[4 * LANES : 5 * LANES]
    before = sums[5 * LANES : 6 * LANES]
    for lane in range(LANES):
        low = sums[lane] + sums[LANES + lane]
        mean[lane] = dc_share * (low + (sums[2 * LANES + lane] + sums[3 * LANES + lane]))
        before[lane] = rows[0, lane] - mean[lane]
    for n in range(window.size):
        row = rows[n & 1, (n >> 1) * LANES : ((n >> 1) + 1) * LANES]
        height = window[n]
        for lane in range(LANES):
            sample = row[lane] - mean[lane]
            row[lane] = height * (sample - preemphasis * before[lane])
            before[lane] = sample


@part
def _transform(rows: F32, spare: F32, twiddles: F32, points: int) -> F32:
    """Complex Fourier transform of rows[0] + i rows[1]; returns the one of the two it ends in."""
    source, target = rows, spare
    size, at = points, 0
    while size >= 4:
        stride = points // size * LANES
        _stage(source[0], source[1], target[0], target[1], size // 4, stride, twiddles[at:])
        at += 6 * (size // 4)
        source, target = target, source
        size //= 4
    if size == 2:
        stride = points // 2 * LANES
        for part in range(2):
            low, high = source[part, :stride], source[part, stride:]
            total, rest = target[part, :stride], target[part, stride:]
            for n in range(stride):
                total[n] = low[n] + high[n]
                rest[n] = low[n] - high[n]
        source = target
    return source


@part
def _stage(
    re: F32, im: F32, to_re: F32, to_im: F32, quarter: int, stride: int, twiddles: F32
) -> None:
    """One radix-4 stage that also sorts (Stockham); rows of a butterfly are `stride` floats."""
    for j in range(quarter):
        w1r, w1i, w2r, w2i, w3r, w3i = twiddles[6 * j : 6 * j + 6]
        a, b = j * stride, (j + quarter) * stride
        c, d = (j + 2 * quarter) * stride, (j + 3 * quarter) * stride
        ar, br, cr, dr = re[a:], re[b:], re[c:], re[d:]
        ai, bi, ci, di = im[a:], im[b:], im[c:], im[d:]
        t = 4 * j * stride
        xr, yr, zr, ur = to_re[t:], to_re[t + stride :], to_re[t + 2 * stride :], to_re[t:]
        xi, yi, zi, ui = to_im[t:], to_im[t + stride :], to_im[t + 2 * stride :], to_im[t:]
        ur, ui = ur[3 * stride :], ui[3 * stride :]
        for n in range(stride):
            sum_r, sum_i = ar[n] + cr[n], ai[n] + ci[n]
            gap_r, gap_i = ar[n] - cr[n], ai[n] - ci[n]
            odd_r, odd_i = br[n] + dr[n], bi[n] + di[n]
            turn_r, turn_i = bi[n] - di[n], dr[n] - br[n]
            xr[n], xi[n] = sum_r + odd_r, sum_i + odd_i
            pr, pi = gap_r + turn_r, gap_i + turn_i
            yr[n], yi[n] = pr * w1r - pi * w1i, pr * w1i + pi * w1r
            pr, pi = sum_r - odd_r, sum_i - odd_i
            zr[n], zi[n] = pr * w2r - pi * w2i, pr * w2i + pi * w2r
            pr, pi = gap_r - turn_r, gap_i - turn_i
            ur[n], ui[n] = pr * w3r - pi * w3i, pr * w3i + pi * w3r


@part
def _power(spectrum: F32, halves: F32, magnitude: bool, power: F32) -> None:
    """Four times the power (twice the magnitude) of all frequencies but 0 and Nyquist's."""
    points = halves.size // 2
    for k in range(1, points // 2 + 1):
        wr, wi = halves[2 * k], halves[2 * k + 1]
        a, b = k * LANES, (points - k) * LANES
        ar, ai = spectrum[0, a : a + LANES], spectrum[1, a : a + LANES]
        br, bi = spectrum[0, b : b + LANES], spectrum[1, b : b + LANES]
        here, there = power[a : a + LANES], power[b : b + LANES]
        for lane in range(LANES):
            even_r, even_i = ar[lane] + br[lane], ai[lane] - bi[lane]
            odd_r, odd_i = ai[lane] + bi[lane], br[lane] - ar[lane]
            turn_r, turn_i = odd_r * wr - odd_i * wi, odd_r * wi + odd_i * wr
            xr, xi = even_r + turn_r, even_i + turn_i
            yr, yi = even_r - turn_r, even_i - turn_i
            here[lane] = xr * xr + xi * xi
            there[lane] = yr * yr + yi * yi
    if magnitude:
        for n in range(LANES, points * LANES):
            power[n] = np.sqrt(power[n])


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
    total = np.empty(LANES, np.float32)
    for m in range(filters.size // 3):
        total[:] = 0
        first, begin, end = filters[3 * m], filters[3 * m + 1], filters[3 * m + 2]
        for t in range(begin, end):
            weight = weights[t]
            row = power[(first + t - begin) * LANES : (first + t - begin + 1) * LANES]
            for lane in range(LANES):
                total[lane] += weight * row[lane]
        for lane in range(LANES):
            total[lane] = max(total[lane], floor)
        _log(total, scale, offset)
        for lane in range(used):
            out[m, start + lane] = total[lane]


@part
def _log(values: F32, scale: float, offset: float) -> None:
    """Replace positive values by scale · ln(value) + offset."""
    bits = values.view(np.int32)
    for lane in range(LANES):
        exponent = (bits[lane] - _SQRT_HALF_BITS) >> _MANTISSA_BITS
        bits[lane] -= exponent << _MANTISSA_BITS
        z, e = values[lane] - _ONE, np.float32(exponent)
        q = ((((((_T7 * z + _T6) * z + _T5) * z + _T4) * z + _T3) * z + _T2) * z + _T1) * z + _T0
        square = z * z
        rest = q * z * square + e * _LN2_LOW - _HALF * square
        values[lane] = ((z + rest) + e * _LN2_HIGH) * scale + offset
