# SPDX-License-Identifier: Apache-2.0
"""Numba kernels of the IMU front end; `imu.py` validates and documents what they compute.

All take stamps int64 (n,), values float64 (n, 6) and a rising grid int64 (t,), and fill
raw float64 (6, t). Outside the samples the first or last value is held.
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.preprocess._compile import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Stamps = NDArray[np.int64]
    Values = NDArray[np.float64]


@kernel
def are_usable(stamps: Stamps, values: Values) -> bool:
    """Whether all stamps rise and all values are finite."""
    falls = 0
    for row in range(stamps.size - 1):
        falls += stamps[row + 1] <= stamps[row]
    # Zero times a number is zero unless it is not finite; one sum per column, so that no
    # addition waits for the one before it.
    ax = ay = az = gx = gy = gz = 0.0
    for row in range(stamps.size):
        ax += values[row, 0] * 0.0
        ay += values[row, 1] * 0.0
        az += values[row, 2] * 0.0
        gx += values[row, 3] * 0.0
        gy += values[row, 4] * 0.0
        gz += values[row, 5] * 0.0
    return falls == 0 and ax + ay + az + gx + gy + gz == 0.0


@kernel
def interpolate_linear(stamps: Stamps, values: Values, grid: Stamps, raw: Values) -> None:
    """Straight line between the two samples around each grid instant."""
    last = stamps.size - 1
    j = 0
    for i in range(grid.size):
        g = grid[i]
        while j < last - 1 and stamps[j + 1] <= g:
            j += 1
        if g <= stamps[0] or g >= stamps[last]:
            held = values[0] if g <= stamps[0] else values[last]
            for k in range(6):
                raw[k, i] = held[k]
            continue
        s = (g - stamps[j]) / (stamps[j + 1] - stamps[j])
        for k in range(6):
            raw[k, i] = values[j, k] + s * (values[j + 1, k] - values[j, k])


@kernel
def interpolate_cubic(
    stamps: Stamps, values: Values, grid: Stamps, max_interval: int, raw: Values
) -> None:
    """Cubic Hermite between two samples, tangents from the parabola through three.

    A neighbour that is missing or further than `max_interval` is not used: the tangent is then
    the slope of the interval itself, and an interval longer than `max_interval` is a line.
    """
    last = stamps.size - 1
    j = 0
    for i in range(grid.size):
        g = grid[i]
        while j < last - 1 and stamps[j + 1] <= g:
            j += 1
        if g <= stamps[0] or g >= stamps[last]:
            held = values[0] if g <= stamps[0] else values[last]
            for k in range(6):
                raw[k, i] = held[k]
            continue
        step = stamps[j + 1] - stamps[j]
        h = float(step)
        per_h = 1.0 / h
        # Tangents as weights: at j  -a0 v[j-1] + (a0-a1) v[j] + a1 v[j+1],
        #                    at j+1 -b0 v[j] + (b0-b1) v[j+1] + b1 v[j+2].
        before, a0, a1 = j, 0.0, per_h
        after, b0, b1 = j + 1, per_h, 0.0
        if step <= max_interval:
            if j > 0 and stamps[j] - stamps[j - 1] <= max_interval:
                h0 = float(stamps[j] - stamps[j - 1])
                ratio = per_h / (h0 * (h0 + h))
                before, a0, a1 = j - 1, h * h * ratio, h0 * h0 * ratio
            if j + 1 < last and stamps[j + 2] - stamps[j + 1] <= max_interval:
                h1 = float(stamps[j + 2] - stamps[j + 1])
                ratio = per_h / (h1 * (h + h1))
                after, b0, b1 = j + 2, h1 * h1 * ratio, h * h * ratio
        s = (g - stamps[j]) * per_h
        t = 1.0 - s
        value1 = s * s * (3.0 - 2.0 * s)
        slope0 = s * t * t * h
        slope1 = -s * s * t * h
        w_before = -slope0 * a0
        w0 = (1.0 - value1) + slope0 * (a0 - a1) - slope1 * b0
        w1 = value1 + slope0 * a1 + slope1 * (b0 - b1)
        w_after = slope1 * b1
        for k in range(6):
            raw[k, i] = (
                w_before * values[before, k]
                + w0 * values[j, k]
                + w1 * values[j + 1, k]
                + w_after * values[after, k]
            )


@kernel
def average_triangle(
    stamps: Stamps, values: Values, grid: Stamps, half_width: float, raw: Values
) -> None:
    """Mean of the linear interpolant under a triangle of `half_width` ns around each instant.

    Between breakpoints (samples, the triangle's corners) both factors are lines, so Simpson's
    rule on each piece is the exact integral.
    """
    last = stamps.size - 1
    start = 0
    for i in range(grid.size):
        g = grid[i]
        for k in range(6):
            raw[k, i] = 0.0
        while start < last and stamps[start + 1] - g <= -half_width:
            start += 1
        j = start
        a = -half_width
        while a < half_width:
            left = float(stamps[j] - g)
            right = float(stamps[j + 1] - g) if j < last else half_width
            b = min(half_width, left if a < left else right)
            if a < 0.0 < b:
                b = 0.0
            weight_a = 1.0 - abs(a) / half_width
            weight_b = 1.0 - abs(b) / half_width
            share = (b - a) * (weight_a + weight_b) / (2.0 * half_width)
            share_next = 0.0
            following = j
            if a >= left and j < last:
                following = j + 1
                sa = (a - left) / (right - left)
                sb = (b - left) / (right - left)
                middle = (weight_a + weight_b) * (sa + sb)
                share_next = (b - a) * (weight_a * sa + middle + weight_b * sb) / (6.0 * half_width)
            for k in range(6):
                raw[k, i] += (share - share_next) * values[j, k] + share_next * values[following, k]
            a = b
            if j < last and a >= right:
                j += 1


@kernel
def apply_affine(raw: Values, matrices: Values, offsets: Values, out: NDArray[np.float32]) -> None:
    """Fill out float32 (6, t) with matrix · raw + offset for rows 0..2 and 3..5."""
    for sensor in range(2):
        x, y, z = raw[3 * sensor], raw[3 * sensor + 1], raw[3 * sensor + 2]
        for axis in range(3):
            row = out[3 * sensor + axis]
            mx, my, mz = matrices[sensor, axis]
            offset = offsets[sensor, axis]
            for i in range(row.size):
                row[i] = mx * x[i] + my * y[i] + mz * z[i] + offset
