# SPDX-License-Identifier: Apache-2.0
"""An IMU put down in many orientations: known errors are found, bad recordings refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from sensebind.errors import InputError
from sensebind.preprocess.imu_calibration import ImuCalibration
from sensebind_calibration.imu import estimate
from sensebind_calibration.recording import Timing, timing_of
from tests.calibration.test_commands import run
from tests.support.imu_noise import START_NS, at_rest, imu_table
from tests.support.imu_poses import GRAVITY, Truth, draw_truth, record
from tests.support.toml import read_toml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind_calibration.accelerometer import Affine
    from sensebind_calibration.rests import Rests

    Values = NDArray[np.float64]


class Found(NamedTuple):
    truth: Truth
    rests: Rests
    accelerometer: Affine
    gyroscope: Affine


def stamps_of(rows: Values, rate_hz: float = 100.0) -> NDArray[np.int64]:
    steps_ns = np.rint(np.arange(len(rows)) * (1e9 / rate_hz)).astype(np.int64)
    return np.asarray(START_NS + steps_ns)


def found_in(rows: Values, truth: Truth) -> Found:
    stamps_ns = stamps_of(rows)
    rests, accelerometer, gyroscope, _ = estimate(stamps_ns, rows, timing_of(stamps_ns), GRAVITY)
    return Found(truth, rests, accelerometer, gyroscope)


def found(seed: int, orientations: int = 24, **recorded: float) -> Found:
    rng = np.random.default_rng(seed)
    truth = draw_truth(rng)
    return found_in(record(rng, truth, orientations, **recorded), truth)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def rows() -> Values:
    rng = np.random.default_rng(5)
    return record(rng, draw_truth(rng), 24)


def test_known_errors_are_found() -> None:
    truth, rests, accelerometer, gyroscope = found(1)
    assert rests.count == 24
    assert accelerometer.full
    assert gyroscope.full
    np.testing.assert_allclose(accelerometer.matrix, truth.accel_matrix, atol=1.5e-3)
    np.testing.assert_allclose(accelerometer.bias, truth.accel_bias, atol=8e-3)
    np.testing.assert_allclose(gyroscope.matrix, truth.gyro_matrix, atol=1e-3)
    np.testing.assert_allclose(gyroscope.bias, truth.gyro_bias, atol=2e-4)
    assert accelerometer.matrix_interval.max() < 2e-3


def test_six_faces_tell_scale_and_bias_alone() -> None:
    rng = np.random.default_rng(2)
    truth = draw_truth(rng, misaligned=False)
    held = found_in(record(rng, truth, 12, faces_only=True), truth)
    assert held.rests.orientations() == 6
    assert not held.accelerometer.full
    np.testing.assert_allclose(held.accelerometer.matrix, truth.accel_matrix, atol=1e-3)
    np.testing.assert_allclose(held.accelerometer.bias, truth.accel_bias, atol=6e-3)


def test_the_command_writes_what_the_runtime_applies(rows: Values, tmp_path: Path) -> None:
    out = tmp_path / "c.toml"
    shown = run("imu", imu_table(tmp_path / "poses.parquet", rows), "--out", out)
    assert "24 rests" in shown
    section = read_toml(out)["imu"]["poses.parquet"]
    assert "accel misalignment" in section["determined"]
    names = ("accel_matrix", "accel_bias", "gyro_matrix", "gyro_bias")
    calibration = ImuCalibration(**{name: tuple(section[name]) for name in names})
    matrices, offsets = calibration.affine
    sizes = np.linalg.norm(rows[50:250, :3] @ matrices[0].T + offsets[0], axis=1)
    assert sizes.mean() == pytest.approx(GRAVITY, abs=0.01)
    assert section["accel_residual_m_s2"] < 0.1 * section["raw_residual_m_s2"]
    assert "matrix" in run("show", out)


def clipped(values: Values) -> Values:
    limit = 0.6 * np.abs(values[:, 3]).max()
    spoilt: Values = values.copy()
    spoilt[:, 3] = np.clip(spoilt[:, 3], -limit, limit)
    return spoilt


SPOILT: dict[str, tuple[Callable[[Values], Values], str]] = {
    "in g": (lambda v: v / (9.8, 9.8, 9.8, 1, 1, 1), "it looks like g: give .*unit=g"),
    "in deg/s": (lambda v: v * (1, 1, 1, *[180 / np.pi] * 3), "they fit in deg/s"),
    "swapped": (lambda v: v[:, (1, 0, 2, 3, 4, 5)], "axes|Axes"),
    "saturated": (clipped, "is saturated at"),
    "few": (lambda v: v[:1500], "orientations were found, expected at least 6"),
    "short": (lambda v: v[:100], "recording is 1.0 s long"),
    "moving": (
        lambda v: v + np.random.default_rng(0).normal(0, 1, v.shape),
        "never lay still",
    ),
}


@pytest.mark.parametrize("case", SPOILT)
def test_bad_recordings_are_refused(case: str, rows: Values) -> None:
    spoil, told = SPOILT[case]
    spoilt = spoil(rows)
    with pytest.raises(InputError, match=told):
        estimate(stamps_of(spoilt), spoilt, Timing(100.0, 0.0, len(spoilt), 1.0), GRAVITY)


def test_swapped_axes_are_named(rows: Values) -> None:
    swapped = rows[:, (0, 1, 2, 4, 3, 5)] * (1, 1, 1, 1, -1, 1)
    with pytest.raises(InputError, match=r"x, y, z are \+y, -x, \+z of the accelerometer's"):
        estimate(stamps_of(swapped), swapped, Timing(100.0, 0.0, len(swapped), 1.0), GRAVITY)


def test_a_sensor_that_is_never_turned_has_one_orientation() -> None:
    still = at_rest(np.random.default_rng(0), 3000)
    with pytest.raises(InputError, match="1 rests in 1 orientations"):
        estimate(stamps_of(still), still, Timing(100.0, 0.0, len(still), 30.0), GRAVITY)


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    upper = np.triu_indices(3)
    held = []
    for seed in range(200):
        truth, _, accelerometer, gyroscope = found(seed, 30)
        assert accelerometer.full
        assert gyroscope.full
        off = np.abs(accelerometer.matrix - truth.accel_matrix) <= accelerometer.matrix_interval
        held.append([
            off[upper].mean(),
            (np.abs(accelerometer.bias - truth.accel_bias) <= accelerometer.bias_interval).mean(),
            (np.abs(gyroscope.matrix - truth.gyro_matrix) <= gyroscope.matrix_interval).mean(),
            (np.abs(gyroscope.bias - truth.gyro_bias) <= gyroscope.bias_interval).mean(),
        ])  # fmt: skip
    assert (np.mean(held, axis=0) >= 0.92).all(), np.mean(held, axis=0)


@pytest.mark.slow
def test_errors_shrink_with_the_root_of_the_rests() -> None:
    def spread(rest_s: float) -> float:
        errors = []
        for seed in range(60):
            truth, _, accelerometer, _ = found(seed, 24, rest_s=rest_s)
            errors.append(accelerometer.bias - truth.accel_bias)
        return float(np.std(errors))

    assert 2.2 < spread(3.0) / spread(33.0) < 5.5  # sqrt(32 / 2) = 4: windows at the ends are cut
