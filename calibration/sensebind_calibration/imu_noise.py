# SPDX-License-Identifier: Apache-2.0
"""Noise of an IMU at rest: from a recording to the section of a calibration file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sensebind_calibration.allan import AllanCurve, allan_curve
from sensebind_calibration.noise import AxisNoise, Estimate, axis_noise
from sensebind_calibration.recording import provenance
from sensebind_calibration.sections import AllanSection, SensorNoise
from sensebind_calibration.static import read_static

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sensebind.calibration.sections import Triple
    from sensebind.types import SampleBlock
    from sensebind_calibration.recording import ImuStream
    from sensebind_calibration.sections import Intervals

_ODD_MISFIT = 0.25


def measure_noise(
    stream: ImuStream,
    *,
    serial: str = "",
    temperature_c: float | None = None,
    watch: Callable[[Iterable[SampleBlock]], Iterator[SampleBlock]] = iter,
) -> tuple[AllanSection, AllanCurve]:
    """Allan deviation and noise parameters of a recording at rest.

    Args:
        stream: the IMU, not read yet.
        serial: of the sensor, if known.
        temperature_c: of the sensor, if known.
        watch: is shown the blocks as they are read.

    Raises:
        InputError: if the recording is no good for it, telling why and what to do.
    """
    with tempfile.TemporaryDirectory(prefix="sensebind-allan-") as folder:
        readings = read_static(watch(stream.blocks()), Path(folder))
        readings.timing.check()
        readings.check_still()
        curve = allan_curve(readings.sums, readings.timing.rate_hz)
        del readings.sums[:]  # unmapped before the folder goes
    noises = [axis_noise(curve, axis) for axis in range(6)]
    section = AllanSection(
        provenance=provenance(stream, readings.timing, serial, temperature_c),
        accelerometer=_sensor(noises[:3]),
        gyroscope=_sensor(noises[3:]),
    )
    return section, curve


def doubts(section: AllanSection) -> Iterator[str]:
    """Sentences on what the user should know about the numbers."""
    for name, sensor in (
        ("accelerometer", section.accelerometer),
        ("gyroscope", section.gyroscope),
    ):
        if (worst := max(sensor.misfit)) > _ODD_MISFIT:
            yield (
                f"{name}: the curve differs from white noise, floor and drift by {worst:.0%}; "
                "vibration, filters or temperature colour it: look at --plot, and where the "
                "deviation at 1 s is larger than the noise density, use that"
            )
        if max(sensor.minimum_tau_s) > section.provenance.duration_s / 10:
            yield (
                f"{name}: the deviation still falls at the longest span, so the bias instability "
                "is an upper limit; record longer to see the floor"
            )


def _sensor(axes: list[AxisNoise]) -> SensorNoise:
    return SensorNoise(
        noise_density=_triple([axis.noise_density.value for axis in axes]),
        noise_density_interval=_intervals([axis.noise_density for axis in axes]),
        random_walk=_triple([axis.random_walk.value for axis in axes]),
        random_walk_interval=_intervals([axis.random_walk for axis in axes]),
        bias_instability=_triple([axis.bias_instability.value for axis in axes]),
        bias_instability_interval=_intervals([axis.bias_instability for axis in axes]),
        minimum=_triple([axis.minimum for axis in axes]),
        minimum_tau_s=_triple([axis.minimum_tau_s for axis in axes]),
        deviation_at_1_s=_triple([axis.at_1_s for axis in axes]),
        misfit=_triple([axis.misfit for axis in axes]),
    )


def _triple(values: Iterable[float]) -> Triple:
    x, y, z = (float(value) for value in np.asarray(list(values)))
    return x, y, z


def _intervals(estimates: list[Estimate]) -> Intervals:
    x, y, z = ((estimate.low, estimate.high) for estimate in estimates)
    return x, y, z
