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
  way, unless `antialias` is "none": the mean of the line through the samples under a triangle that
  reaches one period to both sides. Vibration above the grid's Nyquist frequency would fold into
  the features; the triangle's response (sinc²) is -8 dB there, zero at the grid's rate and below
  -26 dB beyond.

The points depend on the samples of the span, of one period and one sample before it, and on one
(linear) or two (cubic) neighbours beyond either end; on nothing else. Before the first and after
the last sample their values are held; the window's coverage tells.
The calibration is affine, so it is applied once per point, after the interpolation.

Windows of a stream share the points they have in common: `imu_points.py`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NoReturn, TypeVar

import numpy as np

from sensebind.errors import InputError
from sensebind.grid import grid_offsets_ns, nanoseconds
from sensebind.preprocess import _imu_kernels as kernels
from sensebind.preprocess.base import Prepared
from sensebind.preprocess.imu_calibration import IDENTITY, ImuCalibration
from sensebind.preprocess.imu_points import PointPlan, SharedPoints
from sensebind.preprocess.imu_rows import check_rows
from sensebind.specs import ImuSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.calibration import StreamCalibration
    from sensebind.calibration.sections import ImuSection
    from sensebind.config import StreamConfig
    from sensebind.specs import Antialias, EncoderSpec, Interpolation
    from sensebind.types import Window

    Array = TypeVar("Array", NDArray[np.int64], NDArray[np.float64])

CHANNELS = ("ax", "ay", "az", "gx", "gy", "gz")
SAMPLES_PER_POINT_LIMIT = 1.5
"""Input denser than this is averaged. Between 1 (no averaging of input at the grid's own rate,
whatever its jitter) and 2, the smallest common ratio of sensor to model rate."""

_INT64, _FLOAT32, _FLOAT64 = np.dtype(np.int64), np.dtype(np.float32), np.dtype(np.float64)
_UNCALIBRATED = ImuCalibration()
_DENSE = {"triangle": SAMPLES_PER_POINT_LIMIT, "none": math.inf}


def resample_imu(
    stamps_ns: NDArray[np.int64],
    values: NDArray[np.float64],
    *,
    end_ns: int,
    length_s: float,
    rate_hz: float,
    interpolation: Interpolation = "cubic",
    max_interval_s: float = 0.05,
    antialias: Antialias = "triangle",
    calibration: ImuCalibration = _UNCALIBRATED,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Resample and calibrate one IMU window as this module's docstring defines.

    Any number of threads may call it at once; it runs without the interpreter's lock.

    Args:
        stamps_ns: int64 (n,), strictly rising acquisition stamps.
        values: float64 (n, 6): ax ay az in m/s², gx gy gz in rad/s, the sensor's axes. Sensors
            with stamps of their own: see `join_imu`.
        end_ns: stamp the window ends at (exclusive).
        length_s: span of the window.
        rate_hz: rate of the features.
        interpolation: "linear" or "cubic".
        max_interval_s: longest sample interval a cubic may cross.
        antialias: "triangle" averages input faster than the features, "none" never does.
        calibration: applied to every point; none by default.
        out: float32 (6, T) to fill instead of a new array.

    Returns:
        float32 (6, T), C order, rows ax ay az gx gy gz in body axes.

    Raises:
        InputError: for a wrong dtype or shape, no samples, stamps that do not rise or lie beyond
            2**62 ns, values that are not finite, or an impossible rate or length.
    """
    stamps_ns, values = _checked(stamps_ns, values)
    plan = _plan(length_s, rate_hz, interpolation, max_interval_s, antialias, calibration)
    _check_end(end_ns)
    features = _output(out, plan.before_end_ns.size)
    if not plan.fill(stamps_ns, values, end_ns, features):
        _refuse(stamps_ns, values)
    return features


def imu_grid_ns(end_ns: int, length_s: float, rate_hz: float) -> NDArray[np.int64]:
    """Stamps int64 (T,) of the points of a window that ends at `end_ns`.

    Raises:
        InputError: if rate and length leave no point or are not finite.
    """
    grid: NDArray[np.int64] = np.int64(end_ns) - grid_offsets_ns(nanoseconds(length_s), rate_hz)
    return grid


def _plan(
    length_s: float,
    rate_hz: float,
    interpolation: Interpolation,
    max_interval_s: float,
    antialias: Antialias,
    calibration: ImuCalibration,
) -> PointPlan:
    length_ns = nanoseconds(length_s)
    grid_offsets_ns(length_ns, rate_hz)  # refuses what has no points
    if interpolation not in ("linear", "cubic"):
        raise InputError(f"interpolation is {interpolation!r}, expected 'linear' or 'cubic'")
    if antialias not in _DENSE:
        raise InputError(f"antialias is {antialias!r}, expected 'triangle' or 'none'")
    return PointPlan(
        length_ns=length_ns,
        rate_hz=rate_hz,
        cubic=interpolation == "cubic",
        max_interval_ns=nanoseconds(max_interval_s),
        dense=_DENSE[antialias],
        affine=calibration.affine,
    )


def _check_end(end_ns: int) -> None:
    if abs(end_ns) > kernels.STAMP_LIMIT_NS:
        raise InputError(f"end_ns is {end_ns}, expected a stamp within 2**62 ns of 0")


def _checked(
    stamps_ns: NDArray[np.int64], values: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if stamps_ns.dtype != _INT64 or stamps_ns.ndim != 1:
        raise InputError(
            f"IMU stamps are {stamps_ns.dtype} {stamps_ns.shape}, expected int64 (n,) nanoseconds"
        )
    count = stamps_ns.size
    if values.dtype != _FLOAT64 or values.shape != (count, 6):
        raise InputError(
            f"IMU values are {values.dtype} {values.shape}, expected float64 ({count}, 6) "
            f"with the columns {' '.join(CHANNELS)}, one row per stamp"
        )
    if count == 0:
        raise InputError("an IMU window needs at least one sample, it has none")
    if count == 1:  # its value is held: as good as two equal ones
        stamps_ns = np.array([stamps_ns[0], stamps_ns[0] + 1])
        values = np.repeat(values, 2, axis=0)
    return _plain(stamps_ns), _plain(values)


def _plain(array: Array) -> Array:
    """The array in the one layout that the kernels are compiled for: a read-only C array."""
    flags = array.flags
    plain: Array = array.view() if flags.c_contiguous and flags.aligned else array.copy()
    plain.flags.writeable = False
    return plain


def _refuse(stamps_ns: NDArray[np.int64], values: NDArray[np.float64]) -> NoReturn:
    check_rows("IMU", stamps_ns, values, CHANNELS)
    raise InputError(
        f"IMU stamps reach from {stamps_ns[0]} to {stamps_ns[-1]} ns, expected at most 2**62 ns "
        "from 0"
    )


def _output(out: NDArray[np.float32] | None, points: int) -> NDArray[np.float32]:
    if out is None:
        return np.empty((6, points), dtype=np.float32)
    if out.dtype != _FLOAT32 or out.shape != (6, points) or not out.flags.carray:
        raise InputError(
            f"out is {out.dtype} {out.shape}, expected writable C-contiguous float32 (6, {points})"
        )
    return out


class ImuPreprocessor:
    """Makes the features of one stream's windows as an ImuSpec says. One thread owns it."""

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
        self._plan = _plan(
            length_s,
            spec.rate_hz,
            spec.interpolation,
            spec.max_interval_s,
            spec.antialias,
            calibration,
        )
        self._shared = SharedPoints(self._plan)
        self._input = input_name

    def prepare(self, window: Window) -> Prepared:
        """Features float32 (6, T) of one window.

        Raises:
            InputError: if the samples cannot be used, naming the row.
        """
        values = np.asarray(window.values, dtype=np.float64)
        stamps_ns, values = _checked(window.stamps_ns, values)
        _check_end(window.end_ns)
        features = _output(None, self._plan.before_end_ns.size)
        if not self._fill(window, stamps_ns, values, features):
            _refuse(stamps_ns, values)
        return Prepared({self._input: features})

    def _fill(
        self,
        window: Window,
        stamps_ns: NDArray[np.int64],
        values: NDArray[np.float64],
        features: NDArray[np.float32],
    ) -> bool:
        if window.segment < 0 or len(window.stamps_ns) < 2:  # none to share with; nothing settled
            return self._plan.fill(stamps_ns, values, window.end_ns, features)
        return self._shared.fill(
            stamps_ns,
            values,
            window.end_ns,
            features,
            segment=window.segment,
            start_index=window.start_index,
        )


def make(
    spec: EncoderSpec, stream: StreamConfig | None, calibration: StreamCalibration
) -> ImuPreprocessor:
    """Make the preprocessor of an IMU encoder; a stream's `frame` becomes its calibration's."""
    assert isinstance(spec.preprocess, ImuSpec)
    assert spec.window is not None
    rotation = (stream.rotation if stream is not None else None) or IDENTITY
    return ImuPreprocessor(
        spec.preprocess,
        spec.window.length_s,
        input_name=spec.inputs[0].name,
        calibration=_affine(calibration.imu, rotation),
    )


def _affine(section: ImuSection | None, rotation: tuple[float, ...]) -> ImuCalibration:
    if section is None:
        return ImuCalibration(rotation=rotation)
    return ImuCalibration(
        accel_matrix=section.accel_matrix,
        accel_bias=section.accel_bias,
        gyro_matrix=section.gyro_matrix,
        gyro_bias=section.gyro_bias,
        rotation=rotation,
    )
