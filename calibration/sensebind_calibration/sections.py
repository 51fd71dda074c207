# SPDX-License-Identifier: Apache-2.0
"""What a calibration file says: one section per estimator and stream, and where it came from."""

from __future__ import annotations

from typing import Literal

import msgspec

from sensebind.calibration.sections import ClockSection as AppliedClock
from sensebind.calibration.sections import ImuSection as AppliedImu
from sensebind.calibration.sections import Nine, Provenance, Triple

Interval = tuple[float, float]
Method = Literal["content", "stamps"]
Intervals = tuple[Interval, Interval, Interval]


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


class ImuSection(AppliedImu, frozen=True, kw_only=True, omit_defaults=True):
    """`[imu."STREAM"]`, with what stands behind its numbers.

    Each interval is half the width of the 95 % confidence interval.

    Attributes:
        determined: which of "accel misalignment" and "gyro matrix" the recording told; those it
            did not are the identity's.
        gravity_m_s2: what |g| was taken to be.
        rests, orientations: rests found, and directions among them that differ.
        accel_residual_m_s2: root mean square of | |g| - |calibrated| | over the rests.
        raw_residual_m_s2: the same without the calibration.
        gyro_residual_rad: root mean square error of turns between rests; None without them.
    """

    accel_matrix_interval: Nine
    accel_bias_interval: Triple
    gyro_matrix_interval: Nine
    gyro_bias_interval: Triple
    determined: tuple[str, ...]
    gravity_m_s2: float
    rests: int
    orientations: int
    accel_residual_m_s2: float
    raw_residual_m_s2: float
    gyro_residual_rad: float | None = None


class ClockSection(AppliedClock, frozen=True, kw_only=True, omit_defaults=True):
    """`[clock."STREAM"]`, with what stands behind its numbers.

    Attributes:
        by: "content" by common events, "stamps" by when messages arrived.
        determined: which of "offset" and "drift" the recording told; a drift it did not is 0.
        matched: events, or parts of the recording, it stands on.
        events: how many the stream and the reference have; empty by stamps.
        scatter_ns: standard deviation of one of them.
        rival: share of the best offset's events that the next best offset has; 0 by stamps.
    """

    by: Method
    determined: tuple[str, ...]
    matched: int
    events: tuple[int, ...] = ()
    scatter_ns: float
    rival: float = 0.0
