# SPDX-License-Identifier: Apache-2.0
"""Kernels of the Allan deviation. No validation; see `allan.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.preprocess._compile import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@kernel
def second_differences(sums: NDArray[np.float64], count: int, stride: int) -> float:
    """Mean square of sums[k + 2 count] - 2 sums[k + count] + sums[k] over k = 0, stride, ….

    Args:
        sums: float64 (n + 1,), cumulative sums of n readings, the first of them 0.
        count: readings averaged; 2 count <= n.
        stride: readings between two starts; 1 takes every difference there is.
    """
    starts = (sums.size - 2 * count - 1) // stride + 1
    # Four sums keep four additions under way at once; their order is fixed, and so the bytes.
    a = b = c = d = 0.0
    whole = starts // 4 * 4
    for index in range(0, whole, 4):
        k = index * stride
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
    for index in range(whole, starts):
        k = index * stride
        e = sums[k + 2 * count] - 2.0 * sums[k + count] + sums[k]
        a += e * e
    return (a + b + c + d) / starts
