# SPDX-License-Identifier: Apache-2.0
"""Depth kernels: raw pixels to resized, cropped and normalised features.

`raw` is uint16 or float32 (h, w), in sensor counts. `bounds` float32 [4] are, in counts, the least
and greatest measured depth (all else, NaN among it, is a hole) and the two that measured depths
are clipped to; so every count that is computed with is finite and no denormal. A feature is
gain * v + bias, v = 1 / counts if `inverse` else counts, and `hole` where nothing was measured.
"""

# ruff: noqa: FURB136 -- max and min of Numba treat NaN and so are slower than a choice
# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.preprocess._compile import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Raw = NDArray[Any]
    Floats = NDArray[np.float32]
    Indices = NDArray[np.uint32]

_ZERO, _ONE = np.float32(0), np.float32(1)


@kernel
def resize_bilinear(
    raw: Raw,
    rows: Indices,
    row_shares: Floats,
    part: Indices,
    columns: Indices,
    column_shares: Floats,
    column_weights: Floats,
    bounds: Floats,
    gain: np.float32,
    bias: np.float32,
    hole: np.float32,
    least_weight: np.float32,
    inverse: bool,
    out: Floats,
) -> float:
    """Mean of the measured ones of four neighbours under their bilinear weights.

    Output (r, c) lies `row_shares[r]` of the way from source row rows[0, r] to rows[1, r], and
    `column_shares[c]` of the way from source column part[0] + columns[c] to the next. part[1]
    source columns are read, and each weighs `column_weights` in a row of the output. (Of unsigned
    indices Numba knows that they don't count from the end.)

    Returns the weight of all measured neighbours, out.size if there are no holes.

    For each output row a vertical pass makes pairs of a weighted sum and its weight for every
    source column. Loads by index are not vectorised, so they only move pairs, two floats as one
    64-bit word; the arithmetic follows in loops that are.
    """
    least, greatest, low, high = bounds
    first, count = part
    size = np.uint32(out.shape[1])
    pairs = np.zeros(2 * (count + 1), np.float32)
    left, right = np.empty(2 * size, np.float32), np.empty(2 * size, np.float32)
    pairs_64, left_64, right_64 = pairs.view(np.int64), left.view(np.int64), right.view(np.int64)
    sums, weights = np.empty(size, np.float32), np.empty(size, np.float32)
    seen = np.zeros(count, np.float32)
    for r in range(out.shape[0]):
        upper, lower = raw[rows[0, r]], raw[rows[1, r]]
        share1 = row_shares[r]
        share0 = _ONE - share1
        for i in range(count):
            q0, q1 = np.float32(upper[first + i]), np.float32(lower[first + i])
            w0 = share0 if (q0 >= least) & (q0 <= greatest) else _ZERO
            w1 = share1 if (q1 >= least) & (q1 <= greatest) else _ZERO
            # Comparisons with NaN are false, so NaN becomes a bound.
            q0 = q0 if q0 > low else low
            q1 = q1 if q1 > low else low
            q0 = q0 if q0 < high else high
            q1 = q1 if q1 < high else high
            # One division instead of two: w0 / q0 + w1 / q1.
            pairs[2 * i] = (w0 * q1 + w1 * q0) / (q0 * q1) if inverse else w0 * q0 + w1 * q1
            pairs[2 * i + 1] = w0 + w1
            seen[i] += w0 + w1
        for c in range(size):
            left_64[c] = pairs_64[columns[c]]
            right_64[c] = pairs_64[columns[c] + 1]
        for c in range(size):
            share1 = column_shares[c]
            share0 = _ONE - share1
            sums[c] = left[2 * c] * share0 + right[2 * c] * share1
            weights[c] = left[2 * c + 1] * share0 + right[2 * c + 1] * share1
        row = out[r]
        for c in range(size):
            weight = weights[c]
            enough = weight >= least_weight
            feature = gain * sums[c] / (weight if enough else _ONE) + bias
            row[c] = feature if enough else hole
    measured = 0.0
    for i in range(count):
        measured += seen[i] * column_weights[i]
    return measured


@kernel
def resize_nearest(
    raw: Raw,
    rows: Indices,
    columns: Indices,
    bounds: Floats,
    gain: np.float32,
    bias: np.float32,
    hole: np.float32,
    inverse: bool,
    out: Floats,
) -> int:
    """Output (r, c) is source (rows[r], columns[c]); returns how many of them were measured."""
    least, greatest, low, high = bounds
    size = np.uint32(out.shape[1])
    counts = np.empty(size, raw.dtype)
    measured = 0
    for r in range(out.shape[0]):
        source, row = raw[rows[r]], out[r]
        for c in range(size):
            counts[c] = source[columns[c]]
        for c in range(size):
            q = np.float32(counts[c])
            valid = (q >= least) & (q <= greatest)
            measured += valid
            q = q if q > low else low
            q = q if q < high else high
            feature = (gain / q if inverse else gain * q) + bias
            row[c] = feature if valid else hole
    return measured
