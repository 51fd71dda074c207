# SPDX-License-Identifier: Apache-2.0
"""IMU windows: irregular samples to calibrated features on the exact grid.

Definition. A window of `length_s` that ends at `end_ns` has T = round(length_s · rate_hz) points;
point i lies at end_ns - (T - i) / rate_hz, rounded to the nearest nanosecond, so windows that
overlap share their points. (Lengths and rates are read as the shortest decimals that mean them.)
The value there is

* "linear": the line between the two samples around it;
* "cubic": a cubic Hermite curve between them whose tangents are those of the parabolas through
  three samples (non-uniform Catmull-Rom, four samples in all). Intervals longer than
  `max_interval_s` are bridged by a line and give no tangent to their neighbours, because a noisy
  slope carried over a long gap overshoots;
* for input faster than the grid (more than 1.5 samples per point on average over the span), either
  way: the mean of the line through the samples under a triangle that reaches one period to
  both sides. Vibration above the grid's Nyquist frequency would fold into the features; the
  triangle's response (sinc²) is -8 dB there, zero at the grid's rate and below -26 dB beyond.

The points depend on the samples of the span, of one period and one sample before it, and on one
(linear) or two (cubic) neighbours beyond either end; on nothing else. Before the first and after
the last sample their values are held; the window's coverage tells.
The calibration is affine, so it is applied once per point, after the interpolation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError
from sensebind.grid import NS_PER_S, grid_offsets_ns, nanoseconds
from sensebind.preprocess import _imu_kernels as kernels
from sensebind.preprocess.base import Prepared
from sensebind.preprocess.imu_calibration import ImuCalibration, affine_of
from sensebind.specs import ImuSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.config import StreamConfig
    from sensebind.specs import EncoderSpec, Interpolation
    from sensebind.types import Window

CHANNELS = ("ax", "ay", "az", "gx", "gy", "gz")
SAMPLES_PER_POINT_LIMIT = 1.5
"""Input denser than this is averaged. Between 1 (no averaging of input at the grid's own rate,
whatever its jitter) and 2, the smallest common ratio of sensor to model rate."""

_UNCALIBRATED = ImuCalibration()


def resample_imu(
    stamps_ns: NDArray[np.int64],
    values: NDArray[np.float64],
    *,
    end_ns: int,
    length_s: float,
    rate_hz: float,
    interpolation: Interpolation = "cubic",
    max_interval_s: float = 0.05,
    calibration: ImuCalibration = _UNCALIBRATED,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Resample and calibrate one IMU window as this module's docstring defines.

    Args:
        stamps_ns: int64 (n,), strictly rising acquisition stamps.
        values: float64 (n, 6): ax ay az in m/s², gx gy gz in rad/s, the sensor's axes.
        end_ns: stamp the window ends at (exclusive).
        length_s: span of the window.
        rate_hz: rate of the features.
        interpolation: "linear" or "cubic".
        max_interval_s: longest sample interval a cubic may cross.
        calibration: applied to every point; none by default.
        out: float32 (6, T) to fill instead of a new array.

    Returns:
        float32 (6, T), C order, rows ax ay az gx gy gz in body axes.

    Raises:
        InputError: for a wrong dtype or shape, no samples, stamps that do not rise, values that
            are not finite, or an impossible rate or length.
    """
    stamps_ns, values = _checked(stamps_ns, values)
    grid = imu_grid_ns(end_ns, length_s, rate_hz)
    if interpolation not in ("linear", "cubic"):
        raise InputError(f"interpolation is {interpolation!r}, expected 'linear' or 'cubic'")
    features = _output(out, grid.size)
    raw = np.empty((6, grid.size), dtype=np.float64)
    start, end = np.searchsorted(stamps_ns, (end_ns - nanoseconds(length_s), end_ns))
    if end - start > SAMPLES_PER_POINT_LIMIT * grid.size:
        kernels.average_triangle(stamps_ns, values, grid, NS_PER_S / rate_hz, raw)
    elif interpolation == "linear":
        kernels.interpolate_linear(stamps_ns, values, grid, raw)
    else:
        kernels.interpolate_cubic(stamps_ns, values, grid, nanoseconds(max_interval_s), raw)
    kernels.apply_affine(raw, *affine_of(calibration), features)
    return features


def imu_grid_ns(end_ns: int, length_s: float, rate_hz: float) -> NDArray[np.int64]:
    """Stamps int64 (T,) of the points of a window that ends at `end_ns`.

    Raises:
        InputError: if rate and length leave no point or are not finite.
    """
    grid: NDArray[np.int64] = np.int64(end_ns) - grid_offsets_ns(nanoseconds(length_s), rate_hz)
    return grid


def _checked(
    stamps_ns: NDArray[np.int64], values: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if stamps_ns.dtype != np.int64 or stamps_ns.ndim != 1:
        raise InputError(
            f"IMU stamps are {stamps_ns.dtype} {stamps_ns.shape}, expected int64 (n,) nanoseconds"
        )
    if values.dtype != np.float64 or values.shape != (stamps_ns.size, 6):
        raise InputError(
            f"IMU values are {values.dtype} {values.shape}, expected float64 ({stamps_ns.size}, 6) "
            f"with the columns {' '.join(CHANNELS)}, one row per stamp"
        )
    if stamps_ns.size == 0:
        raise InputError("an IMU window needs at least one sample, it has none")
    stamps_ns, values = np.ascontiguousarray(stamps_ns), np.ascontiguousarray(values)
    if not kernels.are_usable(stamps_ns, values):
        _refuse(stamps_ns, values)
    return stamps_ns, values


def _refuse(stamps_ns: NDArray[np.int64], values: NDArray[np.float64]) -> None:
    falling = np.flatnonzero(np.diff(stamps_ns) <= 0)
    if falling.size:
        row = int(falling[0]) + 1
        raise InputError(
            f"IMU stamps must rise: row {row} has {stamps_ns[row]} ns after "
            f"{stamps_ns[row - 1]} ns; sort the samples and drop duplicates"
        )
    row, channel = np.argwhere(~np.isfinite(values))[0]
    raise InputError(
        f"IMU value {CHANNELS[channel]} of row {row} is {values[row, channel]}, expected a finite "
        "number; drop such samples"
    )


def _output(out: NDArray[np.float32] | None, points: int) -> NDArray[np.float32]:
    if out is None:
        return np.empty((6, points), dtype=np.float32)
    if out.dtype != np.float32 or out.shape != (6, points) or not out.flags.c_contiguous:
        raise InputError(
            f"out is {out.dtype} {out.shape}, expected C-contiguous float32 (6, {points})"
        )
    return out


class ImuPreprocessor:
    """Makes the features of IMU windows as an ImuSpec says."""

    def __init__(
        self,
        spec: ImuSpec,
        length_s: float,
        *,
        input_name: str = "features",
        calibration: ImuCalibration = _UNCALIBRATED,
    ) -> None:
        if tuple(spec.channels) != CHANNELS:
            raise InputError(
                f"the bundle wants IMU channels {' '.join(spec.channels)}; "
                f"this version makes {' '.join(CHANNELS)} only"
            )
        self._spec = spec
        self._length_s = length_s
        self._input = input_name
        self._calibration = calibration

    def prepare(self, window: Window) -> Prepared:
        """Features float32 (6, T) of one window.

        Raises:
            InputError: if the samples cannot be used, naming the row.
        """
        features = resample_imu(
            window.stamps_ns,
            np.asarray(window.values, dtype=np.float64),
            end_ns=window.end_ns,
            length_s=self._length_s,
            rate_hz=self._spec.rate_hz,
            interpolation=self._spec.interpolation,
            max_interval_s=self._spec.max_interval_s,
            calibration=self._calibration,
        )
        return Prepared({self._input: features})


def make(spec: EncoderSpec, stream: StreamConfig | None) -> ImuPreprocessor:
    """Make the preprocessor of an IMU encoder; a stream's `frame` becomes its calibration's."""
    assert isinstance(spec.preprocess, ImuSpec)
    assert spec.window is not None
    rotation = stream.rotation if stream is not None else None
    calibration = _UNCALIBRATED if rotation is None else ImuCalibration(rotation=rotation)
    return ImuPreprocessor(
        spec.preprocess,
        spec.window.length_s,
        input_name=spec.inputs[0].name,
        calibration=calibration,
    )
