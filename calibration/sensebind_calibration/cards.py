# SPDX-License-Identifier: Apache-2.0
"""Sections of a calibration file as text to read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sensebind.cli.output import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensebind.calibration.sections import Provenance
    from sensebind_calibration.sections import (
        AllanSection,
        ImuSection,
        Interval,
        SensorNoise,
    )

_DEGREES = 180 / math.pi


def allan_card(stream: str, section: AllanSection) -> str:
    """Noise of an IMU, the gyroscope's also in degrees."""
    root_hz = math.sqrt(section.provenance.rate_hz)
    blocks = [
        f"{stream}: noise at rest ({origin(section.provenance)})",
        _noise("accelerometer", section.accelerometer, "m/s²", 1.0, root_hz),
        _noise("gyroscope", section.gyroscope, "rad/s", 1.0, root_hz),
        _noise("gyroscope", section.gyroscope, "deg/s", _DEGREES, root_hz),
    ]
    return "\n".join(blocks)


def imu_card(stream: str, section: ImuSection) -> str:
    """Scale, misalignment and biases of an IMU."""
    raw, calibrated = section.raw_residual_m_s2, section.accel_residual_m_s2
    lines = [
        f"{stream}: calibrated = matrix · (raw - bias), sensor axes",
        f"from {origin(section.provenance)}",
        f"{section.rests} rests in {section.orientations} orientations",
        f"|g| {section.gravity_m_s2:g} m/s²; determined: {', '.join(section.determined)}",
        *_affine("accelerometer", "m/s²", section.accel_matrix, section.accel_matrix_interval,
                 section.accel_bias, section.accel_bias_interval),
        f"  | |a| - |g| | {raw:.3g} -> {calibrated:.3g} m/s²",
        *_affine("gyroscope", "rad/s", section.gyro_matrix, section.gyro_matrix_interval,
                 section.gyro_bias, section.gyro_bias_interval),
    ]  # fmt: skip
    if section.gyro_residual_rad is not None:
        lines.append(f"  error of turns {section.gyro_residual_rad * _DEGREES:.3g} degrees")
    return "\n".join(lines)


def origin(provenance: Provenance) -> str:
    """Where numbers came from, in a line."""
    rate = f" at {provenance.rate_hz:.2f} Hz" if provenance.rate_hz else ""
    parts = [
        provenance.recording,
        f"{provenance.duration_s:.1f} s{rate}",
        provenance.date,
    ]
    if provenance.serial:
        parts.append(f"serial {provenance.serial}")
    if provenance.temperature_c is not None:
        parts.append(f"{provenance.temperature_c:g} °C")
    return ", ".join(parts)


def _noise(name: str, noise: SensorNoise, unit: str, factor: float, root_hz: float) -> str:
    headers = [f"{name}, {unit}", "N /√Hz", "95 %", "of a reading", "K /s/√Hz",
               "bias instability", "least deviation", "at 1 s"]  # fmt: skip
    rows = []
    for axis in range(3):
        walk = noise.random_walk[axis] * factor
        most = noise.random_walk_interval[axis][1] * factor
        rows.append([
            "xyz"[axis],
            f"{noise.noise_density[axis] * factor:.4g}",
            _interval(noise.noise_density_interval[axis], factor),
            f"{noise.noise_density[axis] * factor * root_hz:.4g}",
            f"{walk:.3g}" if walk else f"< {most:.2g}",
            f"{noise.bias_instability[axis] * factor:.3g}",
            f"{noise.minimum[axis] * factor:.3g} at {noise.minimum_tau_s[axis]:.3g} s",
            f"{noise.deviation_at_1_s[axis] * factor:.4g}",
        ])  # fmt: skip
    return table(headers, rows)


def _interval(interval: Interval, factor: float) -> str:
    return f"{interval[0] * factor:.4g}-{interval[1] * factor:.4g}"


def _affine(
    name: str,
    unit: str,
    matrix: tuple[float, ...],
    matrix_interval: tuple[float, ...],
    bias: tuple[float, ...],
    bias_interval: tuple[float, ...],
) -> Iterator[str]:
    yield f"{name}: matrix, bias in {unit} (± half of the 95 % interval)"
    for row in range(3):
        cells = [
            f"{matrix[3 * row + i]:9.6f} ±{matrix_interval[3 * row + i]:.1e}" for i in range(3)
        ]
        yield f"  {'xyz'[row]}  {'  '.join(cells)}   {bias[row]:10.6f} ±{bias_interval[row]:.1e}"
