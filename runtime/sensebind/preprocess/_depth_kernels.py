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
    bounds: Floats,
    gain: np.float32,
    bias: np.float32,
    hole: np.float32,
    least_weight: np.float32,
    inverse: bool,
    scratch: Floats,
    out: Floats,
) -> None:
    """Mean of the measured ones of four neighbours under their bilinear weights.

    Output (r, c) lies `row_shares[r]` of the way from source row rows[0, r] to rows[1, r], and
    `column_shares[c]` of the way from source column part[0] + columns[c] to the next. part[1]
    source columns are read. (Of unsigned indices Numba knows that they don't count from the end.)

    The vertical pass makes one row of weighted sums and one of weights (scratch[0], scratch[1]),
    the horizontal pass divides them. scratch[2] collects the weights of each source column.
    `scratch` is zero, wider than part[1], and as wide as `out` or wider.
    """
    sums, weights, seen, total_weights = scratch[0], scratch[1], scratch[2], scratch[3]
    least, greatest, low, high = bounds
    first, count = part
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
            sums[i] = (w0 * q1 + w1 * q0) / (q0 * q1) if inverse else w0 * q0 + w1 * q1
            weights[i] = w0 + w1
            seen[i] += w0 + w1
        # Two loops, because loads by index keep the first from being vectorised.
        row = out[r]
        for c in range(row.size):
            left = columns[c]
            share1 = column_shares[c]
            share0 = _ONE - share1
            row[c] = sums[left] * share0 + sums[left + 1] * share1
            total_weights[c] = weights[left] * share0 + weights[left + 1] * share1
        for c in range(row.size):
            weight = total_weights[c]
            enough = weight >= least_weight
            feature = gain * row[c] / (weight if enough else _ONE) + bias
            row[c] = feature if enough else hole


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
    measured = 0
    for r in range(out.shape[0]):
        source, row = raw[rows[r]], out[r]
        for c in range(row.size):
            row[c] = np.float32(source[columns[c]])
        for c in range(row.size):
            q = row[c]
            valid = (q >= least) & (q <= greatest)
            measured += valid
            q = q if q > low else low
            q = q if q < high else high
            feature = (gain / q if inverse else gain * q) + bias
            row[c] = feature if valid else hole
    return measured
