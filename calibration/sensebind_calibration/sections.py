# SPDX-License-Identifier: Apache-2.0
"""What a calibration file says: one section per estimator and stream, and where it came from."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

FORMAT = 1
"""Version of the file's layout; a reader refuses others."""

Triple = tuple[float, float, float]
Interval = tuple[float, float]
Intervals = tuple[Interval, Interval, Interval]
Nine = Annotated[tuple[float, ...], Meta(min_length=9, max_length=9)]


class Provenance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where numbers came from.

    Attributes:
        recording: name of the recording.
        sha256: hash of its bytes, "" where it has none.
        date: when the numbers were estimated, ISO 8601 in UTC.
        version: of SenseBind.
        rate_hz: readings per second.
        readings: how many were used.
        duration_s: time they span.
        serial: of the sensor, "" if it was not told.
        temperature_c: of the sensor while recording, None if it was not told.
    """

    recording: str
    sha256: str
    date: str
    version: str
    rate_hz: float
    readings: int
    duration_s: float
    serial: str = ""
    temperature_c: float | None = None


class SensorNoise(msgspec.Struct, frozen=True, kw_only=True):
    """Noise of a triad, per axis x y z, in the unit u: m/s² or rad/s.

    Attributes:
        noise_density: N, u/√Hz, as Kalibr takes it; a reading's deviation is N·√rate.
        noise_density_interval: 95 % confidence.
        random_walk: K, u/s/√Hz, as Kalibr takes it; 0 where none was seen.
        random_walk_interval: 95 % confidence; where none was seen, up to what it may be.
        bias_instability: least Allan deviation / 0.664, u.
        bias_instability_interval: 95 % confidence.
        minimum: the least deviation, u.
        minimum_tau_s: where it is.
        deviation_at_1_s: the measured deviation at 1 s, u: N where nothing but white noise is.
        misfit: largest relative difference of curve and model.
    """

    noise_density: Triple
    noise_density_interval: Intervals
    random_walk: Triple
    random_walk_interval: Intervals
    bias_instability: Triple
    bias_instability_interval: Intervals
    minimum: Triple
    minimum_tau_s: Triple
    deviation_at_1_s: Triple
    misfit: Triple


class AllanSection(msgspec.Struct, frozen=True, kw_only=True):
    """`[allan."STREAM"]`: noise of an IMU."""

    provenance: Provenance
    accelerometer: SensorNoise
    gyroscope: SensorNoise


class ImuSection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`[imu."STREAM"]`: calibrated = matrix · (raw - bias), in the sensor's own axes.

    Matrices are row-major 3x3; each interval is half the width of the 95 % confidence interval.

    Attributes:
        accel_matrix, accel_bias: of the accelerometer, bias in m/s².
        gyro_matrix, gyro_bias: of the gyroscope, bias in rad/s.
        determined: which of "accel misalignment" and "gyro matrix" the recording told; those it
            did not are the identity's.
        gravity_m_s2: what |g| was taken to be.
        rests, orientations: rests found, and directions among them that differ.
        accel_residual_m_s2: root mean square of | |g| - |calibrated| | over the rests.
        raw_residual_m_s2: the same without the calibration.
        gyro_residual_rad: root mean square error of turns between rests; None without them.
    """

    provenance: Provenance
    accel_matrix: Nine
    accel_matrix_interval: Nine
    accel_bias: Triple
    accel_bias_interval: Triple
    gyro_matrix: Nine
    gyro_matrix_interval: Nine
    gyro_bias: Triple
    gyro_bias_interval: Triple
    determined: tuple[str, ...]
    gravity_m_s2: float
    rests: int
    orientations: int
    accel_residual_m_s2: float
    raw_residual_m_s2: float
    gyro_residual_rad: float | None = None
