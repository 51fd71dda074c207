# SPDX-License-Identifier: Apache-2.0
"""IMU: 2100 irregular samples of about 400 Hz to 6 x 2000 calibrated points at 400 Hz.

The peers calibrate the samples, interpolate each axis and convert to float32, as one writes it
with NumPy and SciPy. Stamps are handed to them as seconds ready to use; ours takes nanoseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.preprocess_rows.base import Row
from sensebind.preprocess import resample_imu
from sensebind.preprocess.imu import ImuPreprocessor, imu_grid_ns
from sensebind.preprocess.imu_calibration import ImuCalibration
from sensebind.specs import ImuSpec
from sensebind.types import SampleBlock
from sensebind.windowing.rules import SampleRules
from sensebind.windowing.samples import SampleWindower

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sensebind.specs import Interpolation

RATE_HZ = 400.0
LENGTH_S = 5.0
EPOCH_NS = 1_700_000_000_000_000_000
SPARE = 100  # samples beyond the window


class _Case:
    """Samples of a window of `length_s` and the work done on them."""

    def __init__(self, length_s: float = LENGTH_S) -> None:
        rng = np.random.default_rng(0)
        count = round(length_s * RATE_HZ) + SPARE
        steps_s = rng.normal(1 / RATE_HZ, 0.0002, count).clip(1e-4)
        self.length_s = length_s
        self.stamps = EPOCH_NS + np.cumsum((steps_s * 1e9).astype(np.int64))
        self.values = rng.standard_normal((count, 6)).cumsum(axis=0) * 0.01
        self.end_ns = int(self.stamps[0]) + round((length_s + 0.05) * 1e9)
        matrices = np.eye(3) + 0.01 * rng.standard_normal((2, 3, 3))
        biases = 0.01 * rng.standard_normal((2, 3))
        self.calibration = ImuCalibration(
            accel_matrix=tuple(matrices[0].ravel()),
            accel_bias=tuple(biases[0]),
            gyro_matrix=tuple(matrices[1].ravel()),
            gyro_bias=tuple(biases[1]),
        )
        self.matrices, self.biases = matrices, biases
        grid = imu_grid_ns(self.end_ns, length_s, RATE_HZ)
        self.grid_s = (grid - self.end_ns) / 1e9
        self.stamps_s = (self.stamps - self.end_ns) / 1e9
        self.out = np.empty((6, grid.size), np.float32)

    def ours(self, interpolation: Interpolation) -> Callable[[], object]:
        arguments: dict[str, Any] = {
            "end_ns": self.end_ns,
            "length_s": self.length_s,
            "rate_hz": RATE_HZ,
            "interpolation": interpolation,
            "calibration": self.calibration,
            "out": self.out,
        }
        return lambda: resample_imu(self.stamps, self.values, **arguments)

    def calibrated(self) -> NDArray[np.float64]:
        rows = np.empty_like(self.values)
        for sensor in range(2):
            part = slice(3 * sensor, 3 * sensor + 3)
            rows[:, part] = (self.values[:, part] - self.biases[sensor]) @ self.matrices[sensor].T
        return rows

    def with_interp(self) -> NDArray[np.float32]:
        rows = self.calibrated()
        out = np.empty_like(self.out)
        for axis in range(6):
            out[axis] = np.interp(self.grid_s, self.stamps_s, rows[:, axis])
        return out


def rows() -> list[Row]:
    """Rows of this front end."""
    from scipy.interpolate import CubicSpline

    case, long_case = _Case(), _Case(4 * LENGTH_S)

    def with_spline() -> NDArray[np.float32]:
        curves = CubicSpline(case.stamps_s, case.calibrated(), axis=0)
        found: NDArray[np.float32] = curves(case.grid_s).T.astype(np.float32)
        return found

    def four_times() -> None:
        for _ in range(4):
            cubic()

    def turned() -> None:
        np.copyto(case.out, case.values[: case.grid_s.size].T)

    linear, cubic = case.ours("linear"), case.ours("cubic")
    note = "the whole public call, its checks included"
    return [
        Row("imu linear vs np.interp", 8.0, "higher", linear, case.with_interp, note),
        Row("imu cubic vs scipy CubicSpline", 25.0, "higher", cubic, with_spline, note),
        Row(
            "imu linear vs turning the samples",
            0.0,
            "lower",
            linear,
            turned,
            "the floor: as many samples as points read and written as float32 by NumPy, "
            "nothing computed",
        ),
        Row(
            "imu cubic 20 s vs four times 5 s",
            1.2,
            "lower",
            long_case.ours("cubic"),
            four_times,
            "linear in the length of the window",
        ),
        Row(
            "imu stream, 20 s windows vs 5 s",
            0.0,
            "lower",
            _stream(4 * LENGTH_S),
            _stream(LENGTH_S),
            "40 single samples and one hop of 0.1 s; points that earlier windows had are copied",
        ),
    ]


def _stream(length_s: float) -> Callable[[], object]:
    """A tenth of a second of a running stream: samples pushed one by one, its window resampled."""
    rules = SampleRules(
        length_ns=round(length_s * 1e9),
        hop_ns=100_000_000,
        rate_hz=RATE_HZ,
        max_interval_ns=50_000_000,
        gap_limit_ns=250_000_000,
        support=2,
    )
    windower = SampleWindower("imu", rules)
    step_ns = round(1e9 / RATE_HZ)
    rows = np.ones((1, 6))
    warm = EPOCH_NS + step_ns * np.arange(round(2 * length_s * RATE_HZ))
    windower.push(SampleBlock("imu", warm, np.ones((warm.size, 6))))
    stamp_ns = int(warm[-1])

    preprocessor = ImuPreprocessor(ImuSpec(rate_hz=RATE_HZ), length_s)

    def hop() -> None:
        nonlocal stamp_ns
        for _ in range(40):
            stamp_ns += step_ns
            for window in windower.push(SampleBlock("imu", np.array([stamp_ns]), rows)):
                preprocessor.prepare(window)

    return hop
