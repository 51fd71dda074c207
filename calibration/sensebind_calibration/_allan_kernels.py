# SPDX-License-Identifier: Apache-2.0
"""Kernels of the Allan deviation. No validation; see `allan.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.preprocess._compile import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK = 8192  # starts: 64 kB of sums, which stay in the second cache for all spans


@kernel
def second_differences(
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
    strides: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None:
    """Mean squares of sums[k + 2 count] - 2 sums[k + count] + sums[k] over k = 0, stride, ….

    Args:
        sums: float64 (n + 1,), cumulative sums of n readings.
        counts: int64 (spans,), readings averaged; 2 count <= n.
        strides: int64 (spans,), readings between two starts; 1 takes every difference there is.
        out: float64 (spans,), the means.
    """
    out[:] = 0.0
    for begin in range(0, sums.size, _BLOCK):
        for span in range(counts.size):
            count, stride = counts[span], strides[span]
            end = min(begin + _BLOCK, sums.size - 2 * count)
            k = (begin + stride - 1) // stride * stride
            # Four sums keep four additions under way at once; their order is fixed, and so the
            # bytes.
            a = b = c = d = 0.0
            while k + 3 * stride < end:
                e = sums[k + 2 * count] - 2.0 * sums[k + count] + sums[k]
                a += e * e
                k += stride
                e = sums[k + 2 * count] - 2.0 * sums[k + count] + sums[k]
                b += e * e
                k += stride
                e = sums[k + 2 * count] - 2.0 * sums[k + count] + sums[k]
                c += e * e
                k += stride
                e = sums[k + 2 * count] - 2.0 * sums[k + count] + sums[k]
                d += e * e
                k += stride
            while k < end:
                e = sums[k + 2 * count] - 2.0 * sums[k + count] + sums[k]
                a += e * e
                k += stride
            out[span] += (a + b) + (c + d)
    for span in range(counts.size):
        out[span] /= (sums.size - 2 * counts[span] - 1) // strides[span] + 1
