# SPDX-License-Identifier: Apache-2.0
"""From ideal motion to what an IMU reports: bandwidth, vibration, bias, noise, steps."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from sensebind_engines.recipes.simulation.mjcf import PHYSICS_HZ

if TYPE_CHECKING:
    from sensebind_engines.recipes.simulation.log import SimLog

FloatArray = NDArray[np.float64]

IMU_HZ = 400
_PER_SAMPLE = PHYSICS_HZ // IMU_HZ
_ACCEL_LIMIT_M_S2 = 16.0 * 9.81
_GYRO_LIMIT_RAD_S = math.radians(2000.0)
_ADC_HALF_RANGE = 32768
_GEAR_RATIO = 30.0


class ImuRecording(NamedTuple):
    """An IMU stream: stamps (n,) float64 seconds and samples (n, 6) float32, m/s^2 then rad/s."""

    stamps_s: FloatArray
    samples: NDArray[np.float32]


@dataclass(frozen=True)
class TriadErrors:
    """Errors of one three-axis sensor: reading = matrix @ truth + bias + walk + noise.

    Attributes:
        matrix: 3x3 misalignment and scale, row major.
        bias: constant offset, m/s^2 or rad/s.
        noise_density: white noise per sqrt(Hz) (one-sided: sigma = density * sqrt(rate / 2)).
        walk: bias random walk per sqrt(s).
        limit: full scale; the step is limit / 32768 (16 bits).
    """

    matrix: tuple[tuple[float, float, float], ...]
    bias: tuple[float, float, float]
    noise_density: float
    walk: float
    limit: float


@dataclass(frozen=True)
class ImuModel:
    """One IMU on one robot.

    Attributes:
        accelerometer, gyroscope: errors of the two triads.
        bandwidth_hz: -3 dB frequency of the sensor's second-order low pass.
        jitter_s: standard deviation of the stamps.
        vibration_m_s2: drive vibration at 10 rad/s wheel speed (`drive_vibration`).
        vibration_axes: its share on each body axis.
    """

    accelerometer: TriadErrors
    gyroscope: TriadErrors
    bandwidth_hz: float
    jitter_s: float
    vibration_m_s2: float
    vibration_axes: tuple[float, float, float]

    def truth(self) -> dict[str, object]:
        """All constants as plain JSON-ready values."""
        return asdict(self)


def sample_imu_model(rng: np.random.Generator) -> ImuModel:
    """An IMU within the tolerances of consumer MEMS parts.

    0.7 degrees misalignment, 0.6 % scale, 0.15 m/s^2 and 0.6 degrees/s bias (1 sigma), 180 ug and
    0.008 degrees/s per sqrt(Hz), 80 to 180 Hz bandwidth, 50 us stamp jitter.
    """
    accelerometer = _sample_triad(rng, 0.15, 180e-6 * 9.81, 2e-4, _ACCEL_LIMIT_M_S2)
    gyroscope = _sample_triad(rng, math.radians(0.6), math.radians(0.008), 2e-5, _GYRO_LIMIT_RAD_S)
    axes = rng.uniform(0.3, 1.0, 3)
    return ImuModel(
        accelerometer,
        gyroscope,
        bandwidth_hz=float(rng.uniform(80.0, 180.0)),
        jitter_s=5e-5,
        vibration_m_s2=float(rng.uniform(0.05, 0.6)),
        vibration_axes=(float(axes[0]), float(axes[1]), float(axes[2])),
    )


def measure_imu(
    log: SimLog,
    model: ImuModel,
    rng: np.random.Generator,
    *,
    dropout_s: tuple[float, float] | None = None,
) -> ImuRecording:
    """What the IMU reports during a run, at 400 Hz; samples inside `dropout_s` are lost.

    Sample n is taken at n / 400 s of the run; the low pass delays it by 2 to 4 ms, as real ones do.
    """
    ideal = log.motion + drive_vibration(log.wheel_rad_s, model, rng)
    seen = _low_pass(ideal, model.bandwidth_hz)[::_PER_SAMPLE]
    stamps_s = np.arange(len(seen)) / IMU_HZ
    samples = np.concatenate(
        [
            _apply_errors(seen[:, :3], model.accelerometer, rng),
            _apply_errors(seen[:, 3:], model.gyroscope, rng),
        ],
        axis=1,
    )
    keep = np.ones(len(stamps_s), bool)
    if dropout_s is not None:
        keep = (stamps_s < dropout_s[0]) | (stamps_s >= dropout_s[1])
    stamps_s = stamps_s + np.clip(rng.normal(0.0, model.jitter_s, len(stamps_s)), -1e-3, 1e-3)
    return ImuRecording(stamps_s[keep], samples.astype(np.float32)[keep])


def drive_vibration(
    wheel_rad_s: FloatArray, model: ImuModel, rng: np.random.Generator
) -> FloatArray:
    """Gear-mesh tone and broadband noise that grow with wheel speed: (n, 6) to add to the motion.

    This is an assumption, not physics: the simulated drive train is perfectly quiet. The tone is
    at 30 times the wheel's rate (a 30:1 gearbox); the noise is white up to 1 kHz, scaled so that
    its share below 100 Hz is comparable to the tone; the gyro gets 3 % of it (rad/s per m/s^2).
    """
    speed = np.abs(wheel_rad_s).mean(axis=1)
    level = model.vibration_m_s2 * np.clip(speed / 10.0, 0.0, 1.5)
    phase = np.cumsum(speed) * (_GEAR_RATIO / PHYSICS_HZ)
    out = np.empty((len(speed), 6))
    for axis, share in enumerate(model.vibration_axes):
        tone = 0.7 * np.sin(phase + 2.0 * axis)
        out[:, axis] = level * share * (tone + 2.0 * rng.normal(size=len(speed)))
        out[:, 3 + axis] = 0.03 * level * 3.0 * rng.normal(size=len(speed))
    return out


def _sample_triad(
    rng: np.random.Generator, bias: float, noise_density: float, walk: float, limit: float
) -> TriadErrors:
    x, y, z = np.radians(rng.normal(0.0, 0.7, 3))
    turn = np.array([[1.0, -z, y], [z, 1.0, -x], [-y, x, 1.0]])
    matrix = turn @ np.diag(1.0 + rng.normal(0.0, 0.006, 3))
    offset = rng.normal(0.0, bias, 3)
    return TriadErrors(
        matrix=tuple((float(row[0]), float(row[1]), float(row[2])) for row in matrix),
        bias=(float(offset[0]), float(offset[1]), float(offset[2])),
        noise_density=noise_density,
        walk=walk,
        limit=limit,
    )


def _apply_errors(truth: FloatArray, errors: TriadErrors, rng: np.random.Generator) -> FloatArray:
    walk = np.cumsum(rng.normal(0.0, errors.walk / math.sqrt(IMU_HZ), truth.shape), axis=0)
    noise = rng.normal(0.0, errors.noise_density * math.sqrt(IMU_HZ / 2), truth.shape)
    reading = truth @ np.array(errors.matrix).T + errors.bias + walk + noise
    step = errors.limit / _ADC_HALF_RANGE
    return np.asarray(np.clip(np.round(reading / step) * step, -errors.limit, errors.limit))


def _low_pass(signal: FloatArray, bandwidth_hz: float) -> FloatArray:
    """Second-order Butterworth low pass, started in its steady state at the first row."""
    sections = butter(2, bandwidth_hz, fs=PHYSICS_HZ, output="sos")
    return np.asarray(sosfilt(sections, signal - signal[0], axis=0) + signal[0])
