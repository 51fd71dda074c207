# SPDX-License-Identifier: Apache-2.0
"""From ideal motion to what an IMU reports: bandwidth, vibration, bias, noise, steps."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt
from scipy.spatial.transform import Rotation

from sensebind_engines.recipes.simulation.mjcf import GRAVITY_M_S2, PHYSICS_HZ

if TYPE_CHECKING:
    from sensebind_engines.recipes.simulation.log import SimLog

FloatArray = NDArray[np.float64]

Span = tuple[float, float]

IMU_HZ = 400
"""Rate of an IMU unless its ranges say otherwise."""
_FULL_SCALES = ((4.0, 8.0, 16.0), (500.0, 1000.0, 2000.0))
_JITTER = (0.01, 0.1)
_ADC_HALF_RANGE = 32768


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
class Shaking:
    """What shakes the chassis besides the ground.

    Attributes:
        drive_m_s2: drive vibration at 10 rad/s wheel speed (`vibration`).
        gear_ratio: tone of the gears, times the wheel's rate.
        idle_m_s2: amplitude of the tone of fans and idling motors; half of it is also noise.
        idle_hz: its frequency.
        axes: shares on the body axes.
    """

    drive_m_s2: float
    gear_ratio: float
    idle_m_s2: float
    idle_hz: float
    axes: tuple[float, float, float]


@dataclass(frozen=True)
class ImuModel:
    """One IMU on one robot.

    Attributes:
        accelerometer, gyroscope: errors of the two triads.
        rate_hz: samples per second; divides `PHYSICS_HZ`.
        bandwidth_hz: -3 dB frequency of the sensor's second-order low pass.
        jitter_s: standard deviation of the stamps.
        mount_rad: rotation vector by which the sensor is turned on the robot.
        shaking: vibration that the simulated motion lacks.
    """

    accelerometer: TriadErrors
    gyroscope: TriadErrors
    rate_hz: int
    bandwidth_hz: float
    jitter_s: float
    mount_rad: tuple[float, float, float]
    shaking: Shaking

    def truth(self) -> dict[str, object]:
        """All constants as plain JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True)
class ImuRanges:
    """What IMUs are drawn from; the defaults are consumer MEMS parts, well mounted.

    Standard deviations: 0.7 degrees misalignment, 0.6 % scale, 0.15 m/s^2 and 0.6 degrees/s bias.
    Noise: 180 ug and 0.008 degrees/s per sqrt(Hz), times a factor. Full scale 4, 8 or 16 g and 500,
    1000 or 2000 degrees/s. Stamp jitter 1 to 10 % of the period.

    Attributes:
        rates_hz: rates, each as likely.
        bandwidth: of the low pass, as a share of the rate.
        noise: factor of the noise.
        mount_deg: angle by which the sensor is turned about any axis.
        drive_m_s2, gear_ratio, idle_m_s2, idle_hz: see `Shaking`.
    """

    rates_hz: tuple[int, ...] = (IMU_HZ,)
    bandwidth: Span = (0.2, 0.45)
    noise: Span = (1.0, 1.0)
    mount_deg: Span = (0.0, 0.0)
    drive_m_s2: Span = (0.1, 0.6)
    gear_ratio: Span = (15.0, 40.0)
    idle_m_s2: Span = (0.0, 0.0)
    idle_hz: Span = (15.0, 90.0)


TYPICAL = ImuRanges()


def sample_imu_model(
    rng: np.random.Generator, ranges: ImuRanges = TYPICAL, *, idles: bool = True
) -> ImuModel:
    """An IMU of the ranges; `idles`: fans or idling motors shake the robot at all times."""
    noise = float(rng.uniform(*ranges.noise))
    accel_g, gyro_deg_s = (float(rng.choice(scales)) for scales in _FULL_SCALES)
    accelerometer = _sample_triad(
        rng, 0.15, noise * 180e-6 * GRAVITY_M_S2, 2e-4, accel_g * GRAVITY_M_S2
    )
    gyroscope = _sample_triad(
        rng, math.radians(0.6), noise * math.radians(0.008), 2e-5, math.radians(gyro_deg_s)
    )
    rate_hz = int(rng.choice(ranges.rates_hz))
    mount = rng.normal(size=3)
    mount *= math.radians(float(rng.uniform(*ranges.mount_deg))) / np.linalg.norm(mount)
    shaking = Shaking(
        drive_m_s2=float(rng.uniform(*ranges.drive_m_s2)),
        gear_ratio=float(rng.uniform(*ranges.gear_ratio)),
        idle_m_s2=float(rng.uniform(*ranges.idle_m_s2)) * idles,
        idle_hz=float(rng.uniform(*ranges.idle_hz)),
        axes=_triple(rng.uniform(0.3, 1.0, 3)),
    )
    return ImuModel(
        accelerometer,
        gyroscope,
        rate_hz=rate_hz,
        bandwidth_hz=rate_hz * float(rng.uniform(*ranges.bandwidth)),
        jitter_s=float(rng.uniform(*_JITTER)) / rate_hz,
        mount_rad=_triple(mount),
        shaking=shaking,
    )


def measure_imu(
    log: SimLog,
    model: ImuModel,
    rng: np.random.Generator,
    *,
    dropout_s: tuple[float, float] | None = None,
) -> ImuRecording:
    """What the IMU reports during a run; samples inside `dropout_s` are lost.

    Sample n is taken at n / rate of the run; the low pass delays it, as real ones do.
    """
    ideal = _mounted(log.motion + vibration(log.wheel_rad_s, model.shaking, rng), model.mount_rad)
    seen = _low_pass(ideal, model.bandwidth_hz)[:: PHYSICS_HZ // model.rate_hz]
    stamps_s = np.arange(len(seen)) / model.rate_hz
    samples = np.concatenate(
        [
            _apply_errors(seen[:, :3], model.accelerometer, model.rate_hz, rng),
            _apply_errors(seen[:, 3:], model.gyroscope, model.rate_hz, rng),
        ],
        axis=1,
    )
    keep = np.ones(len(stamps_s), bool)
    if dropout_s is not None:
        keep = (stamps_s < dropout_s[0]) | (stamps_s >= dropout_s[1])
    largest_s = 0.4 / model.rate_hz  # so stamps keep their order
    jitter = rng.normal(0.0, model.jitter_s, len(stamps_s))
    stamps_s = stamps_s + np.clip(jitter, -largest_s, largest_s)
    return ImuRecording(stamps_s[keep], samples.astype(np.float32)[keep])


def vibration(wheel_rad_s: FloatArray, shaking: Shaking, rng: np.random.Generator) -> FloatArray:
    """Tones and noise of drive train and fans: (n, 6) at `PHYSICS_HZ`, to add to the motion.

    This is an assumption, not physics: the simulated drive train is perfectly quiet. The drive's
    tone follows the wheels, at their rate times the gear ratio, and its level their speed; that of
    fans is constant. The noise is white up to 1 kHz, scaled so that its share below 100 Hz is
    comparable to the tone; the gyro gets 9 % of the noise (rad/s per m/s^2).
    """
    speed = np.abs(wheel_rad_s).mean(axis=1)
    level = shaking.drive_m_s2 * np.clip(speed / 10.0, 0.0, 1.5)
    gears = np.cumsum(speed) * (shaking.gear_ratio / PHYSICS_HZ)
    fans = np.arange(len(speed)) * (2.0 * math.pi * shaking.idle_hz / PHYSICS_HZ)
    noise = level + 0.5 * shaking.idle_m_s2
    out = np.empty((len(speed), 6))
    for axis, share in enumerate(shaking.axes):
        tones = 0.7 * level * np.sin(gears + 2.0 * axis) + shaking.idle_m_s2 * np.sin(fans + axis)
        out[:, axis] = share * (tones + 2.0 * noise * rng.normal(size=len(speed)))
        out[:, 3 + axis] = 0.09 * noise * rng.normal(size=len(speed))
    return out


def _mounted(motion: FloatArray, mount_rad: tuple[float, float, float]) -> FloatArray:
    """Motion (n, 6) in the axes of a sensor that is turned by a rotation vector."""
    turn = Rotation.from_rotvec(mount_rad).as_matrix()
    return np.asarray((motion.reshape(-1, 2, 3) @ turn).reshape(-1, 6))


def _sample_triad(
    rng: np.random.Generator, bias: float, noise_density: float, walk: float, limit: float
) -> TriadErrors:
    x, y, z = np.radians(rng.normal(0.0, 0.7, 3))
    turn = np.array([[1.0, -z, y], [z, 1.0, -x], [-y, x, 1.0]])
    matrix = turn @ np.diag(1.0 + rng.normal(0.0, 0.006, 3))
    offset = rng.normal(0.0, bias, 3)
    return TriadErrors(
        matrix=tuple(map(_triple, matrix)),
        bias=_triple(offset),
        noise_density=noise_density,
        walk=walk,
        limit=limit,
    )


def _apply_errors(
    truth: FloatArray, errors: TriadErrors, rate_hz: int, rng: np.random.Generator
) -> FloatArray:
    walk = np.cumsum(rng.normal(0.0, errors.walk / math.sqrt(rate_hz), truth.shape), axis=0)
    noise = rng.normal(0.0, errors.noise_density * math.sqrt(rate_hz / 2), truth.shape)
    reading = truth @ np.array(errors.matrix).T + errors.bias + walk + noise
    step = errors.limit / _ADC_HALF_RANGE
    return np.asarray(np.clip(np.round(reading / step) * step, -errors.limit, errors.limit))


def _low_pass(signal: FloatArray, bandwidth_hz: float) -> FloatArray:
    """Second-order Butterworth low pass, started in its steady state at the first row."""
    sections = butter(2, bandwidth_hz, fs=PHYSICS_HZ, output="sos")
    return np.asarray(sosfilt(sections, signal - signal[0], axis=0) + signal[0])


def _triple(values: FloatArray) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
