# SPDX-License-Identifier: Apache-2.0
"""Numba kernels of the IMU front end; `imu.py` validates and documents what they compute.

Every point is a weighted sum of a few rows of `values`. Numba does not vectorise across the six
channels of a row by itself, so rows are added up as vectors of the machine: `_weighted`, `_plus`
and `_put` are the only instructions for that. Indices of samples are unsigned, because signed ones
cost a test for counting from the end at each access.
"""

# mypy: disable-error-code="no-untyped-call, no-untyped-def, no-any-return, misc"
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.datamodel import PrimitiveModel
from numba.extending import intrinsic, register_model
from numba.np import arrayobj

from sensebind.preprocess._compile import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Stamps = NDArray[np.int64]
    Values = NDArray[np.float64]

CHANNELS = 6
STAMP_LIMIT_NS = 1 << 62
"""Differences of stamps up to this far from 0 are int64."""
_BLOCK = 256
"""Points interpolated before they are calibrated: 12 kB, which stay in the first cache."""
_NOTHING, _ONE = np.uint64(0), np.uint64(1)
_EXPONENT = np.int64(0x7FF0000000000000)
"""All these bits of a float64 are set if, and only if, it is infinite or not a number."""
_VECTOR = ir.VectorType(ir.DoubleType(), CHANNELS)
_INT32 = ir.IntType(32)


class _RowType(types.Type):
    """Type of a row of six float64 held in registers."""

    def __init__(self) -> None:
        super().__init__(name="ImuRow")


@register_model(_RowType)
class _RowModel(PrimitiveModel):
    def __init__(self, manager: Any, numba_type: Any) -> None:  # noqa: ANN401
        super().__init__(manager, numba_type, _VECTOR)


_ROW = _RowType()


@intrinsic
def _weighted(_context, values, _row, _weight):  # noqa: ANN001, ANN202
    """A row of C-contiguous values float64 (n, 6) times a number."""

    def generate(context, builder, signature, arguments):  # noqa: ANN001, ANN202
        array = arrayobj.make_array(signature.args[0])(context, builder, arguments[0])
        first = builder.mul(arguments[1], ir.Constant(ir.IntType(64), CHANNELS))
        address = builder.bitcast(builder.gep(array.data, [first]), _VECTOR.as_pointer())
        nothing = ir.Constant(_VECTOR, ir.Undefined)
        weight = builder.insert_element(nothing, arguments[2], ir.Constant(_INT32, 0))
        everywhere = ir.Constant(ir.VectorType(_INT32, CHANNELS), [0] * CHANNELS)
        weight = builder.shuffle_vector(weight, nothing, everywhere)
        return builder.fmul(builder.load(address, align=8), weight)

    return _ROW(values, types.uint64, types.float64), generate


@intrinsic
def _plus(_context, _first, _second):  # noqa: ANN001, ANN202
    """Sum of two rows."""

    def generate(_context, builder, _signature, arguments):  # noqa: ANN001, ANN202
        return builder.fadd(*arguments)

    return _ROW(_ROW, _ROW), generate


@intrinsic
def _put(_context, columns, _column, _row):  # noqa: ANN001, ANN202
    """Write a row as a column of C-contiguous float64 (6, t)."""

    def generate(context, builder, signature, arguments):  # noqa: ANN001, ANN202
        array = arrayobj.make_array(signature.args[0])(context, builder, arguments[0])
        width = builder.extract_value(array.shape, 1)
        address = builder.gep(array.data, [arguments[1]])
        for channel in range(CHANNELS):
            value = builder.extract_element(arguments[2], ir.Constant(_INT32, channel))
            builder.store(value, address)
            address = builder.gep(address, [width])
        return context.get_dummy_value()

    return types.void(columns, types.uint64, _ROW), generate


@kernel
def resample(
    stamps: Stamps,
    values: Values,
    end_ns: int,
    length_ns: int,
    before_end_ns: Stamps,
    cubic: bool,
    max_interval_ns: int,
    dense: float,
    period_ns: float,
    matrices: Values,
    offsets: Values,
    out: NDArray[np.float32],
) -> bool:
    """Fill out float32 (6, t) with the calibrated points of a window.

    Args:
        stamps: int64 (n,), n at least 2.
        values: float64 (n, 6).
        end_ns: where the window ends.
        length_ns: its span.
        before_end_ns: int64 (t,), how far before the end each point lies, falling.
        cubic: whether the interpolation is.
        max_interval_ns: longest interval a cubic crosses.
        dense: samples per point of the span above which they are averaged.
        period_ns: half the width of the average.
        matrices: float64 (2, 3, 3), per sensor.
        offsets: float64 (2, 3), added afterwards.
        out: C-contiguous.

    Returns:
        whether all stamps rise and are in range and all values are finite; if not, nothing is
        written.
    """
    if not _are_usable(stamps, values):
        return False
    points = before_end_ns.size
    inside = _first_at(stamps, end_ns) - _first_at(stamps, end_ns - length_ns)
    averaged = inside > dense * points
    shape = np.empty((5, stamps.size - 1 if cubic and not averaged else 0))
    if shape.size > 0:
        _shape_intervals(stamps, max_interval_ns, shape)
    raw = np.empty((CHANNELS, _BLOCK))
    j = _NOTHING
    for first in range(0, points, _BLOCK):
        block = before_end_ns[first : first + _BLOCK]
        if averaged:
            j = _average(stamps, values, end_ns, block, period_ns, j, raw)
        elif cubic:
            j = _interpolate_cubic(stamps, values, end_ns, block, shape, j, raw)
        else:
            j = _interpolate_linear(stamps, values, end_ns, block, j, raw)
        _calibrate(raw, block.size, matrices, offsets, first, out)
    return True


@kernel
def _are_usable(stamps: Stamps, values: Values) -> bool:
    falls = 0
    earlier, later = stamps[:-1], stamps[1:]
    for i in range(earlier.size):
        falls += later[i] <= earlier[i]
    bits = values.reshape(-1).view(np.int64)
    bad = 0
    for i in range(bits.size):
        bad += (bits[i] & _EXPONENT) == _EXPONENT
    in_range = stamps[0] >= -STAMP_LIMIT_NS and stamps[-1] <= STAMP_LIMIT_NS
    return in_range and falls == 0 and bad == 0


@kernel
def _first_at(stamps: Stamps, stamp_ns: int) -> int:
    """Index of the first sample at or after a stamp."""
    low, high = 0, stamps.size
    while low < high:
        middle = (low + high) // 2
        if stamps[middle] < stamp_ns:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _interpolate_linear(
    stamps: Stamps, values: Values, end_ns: int, before_end_ns: Stamps, j: int, raw: Values
) -> int:
    """Points on the line between two samples; a point outside the samples gets the nearest one's.

    `j`, here and below, is a sample not after the first point; it is returned moved on.
    """
    last = np.uint64(stamps.size - 1)
    for i in range(before_end_ns.size):
        point = min(max(end_ns - before_end_ns[i], stamps[_NOTHING]), stamps[last])
        while j + _ONE < last and stamps[j + _ONE] <= point:
            j += _ONE
        s = (point - stamps[j]) / (stamps[j + _ONE] - stamps[j])
        row = _plus(_weighted(values, j, 1.0 - s), _weighted(values, j + _ONE, s))
        _put(raw, np.uint64(i), row)
    return j


@kernel
def _shape_intervals(stamps: Stamps, max_interval_ns: int, shape: Values) -> None:
    """What a cubic needs to know of each interval, however many points lie in it.

    shape[0] is 1/h, h the interval's length. The tangent at its start, times h, is
    shape[1] (v[j] - v[j-1]) + shape[2] (v[j+1] - v[j]), that at its end
    shape[3] (v[j+2] - v[j+1]) + shape[4] (v[j+1] - v[j]). With q = h over the neighbour's length
    these are q²/(1+q) and 1/(1+q); q is 0 for a neighbour that is not used.
    """
    count = stamps.size - 1
    per_length = np.zeros(count + 2)
    earlier, later, used = stamps[:-1], stamps[1:], per_length[1:-1]
    for i in range(count):
        step = later[i] - earlier[i]
        shape[0, i] = 1.0 / step
        used[i] = 1.0 / step if step <= max_interval_ns else 0.0
    before, after = per_length[:-2], per_length[2:]
    for i in range(count):
        step = later[i] - earlier[i]
        length = float(step) if step <= max_interval_ns else 0.0
        q0, q1 = length * before[i], length * after[i]
        shape[2, i] = 1.0 / (1.0 + q0)
        shape[1, i] = q0 * q0 * shape[2, i]
        shape[4, i] = 1.0 / (1.0 + q1)
        shape[3, i] = q1 * q1 * shape[4, i]


@kernel
def _interpolate_cubic(
    stamps: Stamps,
    values: Values,
    end_ns: int,
    before_end_ns: Stamps,
    shape: Values,
    j: int,
    raw: Values,
) -> int:
    """Points on the cubic Hermite curve between two samples, held outside them."""
    last = np.uint64(stamps.size - 1)
    per_length, start_before, start_own = shape[0], shape[1], shape[2]
    end_after, end_own = shape[3], shape[4]
    for i in range(before_end_ns.size):
        point = min(max(end_ns - before_end_ns[i], stamps[_NOTHING]), stamps[last])
        while j + _ONE < last and stamps[j + _ONE] <= point:
            j += _ONE
        following = j + _ONE
        before = j - _ONE if j > _NOTHING else j
        after = following + _ONE if following < last else following
        s = (point - stamps[j]) * per_length[j]
        t = 1.0 - s
        start_slope, end_slope = s * t * t, -s * s * t
        # The curve as v[j] plus shares of the three differences of neighbouring samples.
        first, third = start_slope * start_before[j], end_slope * end_after[j]
        second = s * s * (3.0 - 2.0 * s) + start_slope * start_own[j] + end_slope * end_own[j]
        outer = _plus(_weighted(values, before, -first), _weighted(values, after, third))
        inner = _plus(
            _weighted(values, j, 1.0 + first - second),
            _weighted(values, following, second - third),
        )
        _put(raw, np.uint64(i), _plus(inner, outer))
    return j


@kernel
def _average(
    stamps: Stamps,
    values: Values,
    end_ns: int,
    before_end_ns: Stamps,
    half_width_ns: float,
    j: int,
    raw: Values,
) -> int:
    """Means of the line through the samples, held outside them, under a triangle of area 1.

    Integrating by parts twice leaves, for each sample, the change at it of the slope of the
    line through the triangle's second antiderivative, read at the samples.
    """
    last = np.uint64(stamps.size - 1)
    for i in range(before_end_ns.size):
        point = end_ns - before_end_ns[i]
        while j < last and stamps[j + _ONE] - point <= -half_width_ns:
            j += _ONE
        k, slope = j, -0.5
        height = _second_antiderivative((stamps[k] - point) / half_width_ns)
        total = _weighted(values, k, 0.0)
        while k < last and stamps[k] - point < half_width_ns:
            next_height = _second_antiderivative((stamps[k + _ONE] - point) / half_width_ns)
            rise = (next_height - height) * half_width_ns
            next_slope = rise / (stamps[k + _ONE] - stamps[k])
            total = _plus(total, _weighted(values, k, next_slope - slope))
            height, slope = next_height, next_slope
            k += _ONE
        _put(raw, np.uint64(i), _plus(total, _weighted(values, k, 0.5 - slope)))
    return j


@kernel
def _second_antiderivative(x: float) -> float:
    """Of the triangle 1 - |x|, 0 beyond 1; even, so its slope is ±1/2 outside."""
    u = abs(x)
    return u * u * (0.5 - u / 6.0) if u < 1.0 else 0.5 * u - 1.0 / 6.0


@kernel
def _calibrate(
    raw: Values, count: int, matrices: Values, offsets: Values, first: int, out: NDArray[np.float32]
) -> None:
    """out[:, first:first+count] = matrix · raw + offset for rows 0..2 and 3..5."""
    for sensor in range(2):
        x, y = raw[3 * sensor][:count], raw[3 * sensor + 1][:count]
        z = raw[3 * sensor + 2][:count]
        for axis in range(3):
            row = out[3 * sensor + axis][first : first + count]
            mx, my, mz = matrices[sensor, axis]
            offset = offsets[sensor, axis]
            for i in range(count):
                row[i] = mx * x[i] + my * y[i] + mz * z[i] + offset
