# SPDX-License-Identifier: Apache-2.0
"""An IMU's scale, misalignment and biases from a recording of it in many orientations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError
from sensebind.units import STANDARD_GRAVITY
from sensebind_calibration.accelerometer import Affine, calibrate_accelerometer
from sensebind_calibration.gyroscope import calibrate_gyroscope, check_axes, turns_between
from sensebind_calibration.recording import provenance, rises, timing_of
from sensebind_calibration.rests import Rests, find_rests
from sensebind_calibration.sections import ImuSection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from sensebind.calibration.sections import Triple
    from sensebind.types import SampleBlock
    from sensebind_calibration.recording import ImuStream, Timing

    Values = NDArray[np.float64]

FEWEST_ORIENTATIONS = 6
_MOST_READINGS = 20_000_000  # 1.1 GB; a calibration takes minutes
_PLAUSIBLE = 0.15
_LARGEST_RESIDUAL = 0.01  # share of g
_CLIPPED_RUN = 5
_UNITS = {"g": STANDARD_GRAVITY, "mg": STANDARD_GRAVITY / 1000}


def calibrate_imu(
    stream: ImuStream,
    *,
    gravity_m_s2: float = STANDARD_GRAVITY,
    serial: str = "",
    temperature_c: float | None = None,
    watch: Callable[[Iterable[SampleBlock]], Iterator[SampleBlock]] = iter,
) -> ImuSection:
    """Calibrate from a recording: at rest in orientations that differ, turned in between.

    Args:
        stream: the IMU, not read yet.
        gravity_m_s2: |g| where it was recorded.
        serial: of the sensor, if known.
        temperature_c: of the sensor, if known.
        watch: is shown the blocks as they are read.

    Raises:
        InputError: if the recording is no good for it, telling why and what to do.
    """
    stamps_ns, values = _read(watch(stream.blocks()))
    timing = timing_of(stamps_ns)
    timing.check()
    rests, accelerometer, gyroscope, residual_rad = estimate(
        stamps_ns, values, timing, gravity_m_s2
    )
    told = [name for name, there in (
        ("accel scale and bias", True), ("accel misalignment", accelerometer.full),
        ("gyro bias", True), ("gyro matrix", gyroscope.full),
    ) if there]  # fmt: skip
    sizes = np.linalg.norm(rests.means[:, :3], axis=1)
    return ImuSection(
        provenance=provenance(stream, timing, serial, temperature_c),
        accel_matrix=_numbers(accelerometer.matrix),
        accel_matrix_interval=_numbers(accelerometer.matrix_interval),
        accel_bias=_triple(accelerometer.bias),
        accel_bias_interval=_triple(accelerometer.bias_interval),
        gyro_matrix=_numbers(gyroscope.matrix),
        gyro_matrix_interval=_numbers(gyroscope.matrix_interval),
        gyro_bias=_triple(gyroscope.bias),
        gyro_bias_interval=_triple(gyroscope.bias_interval),
        determined=tuple(told),
        gravity_m_s2=gravity_m_s2,
        rests=rests.count,
        orientations=rests.orientations(),
        accel_residual_m_s2=accelerometer.residual,
        raw_residual_m_s2=float(np.sqrt(np.mean((sizes - gravity_m_s2) ** 2))),
        gyro_residual_rad=residual_rad,
    )


def estimate(
    stamps_ns: NDArray[np.int64], values: Values, timing: Timing, gravity_m_s2: float
) -> tuple[Rests, Affine, Affine, float | None]:
    """Rests, accelerometer, gyroscope, and what is left of the turns in rad.

    Raises:
        InputError: see `calibrate_imu`.
    """
    rests = find_rests(values, timing.rate_hz)
    _check_unit(rests, gravity_m_s2)
    _check_clipping(values, rests)
    if (orientations := rests.orientations()) < FEWEST_ORIENTATIONS:
        raise InputError(
            f"{rests.count} rests in {orientations} orientations were found, expected at least "
            f"{FEWEST_ORIENTATIONS} that differ by 30 degrees; rest the sensor for 2 s and "
            "more on each face, better also on edges and corners (12 orientations and more tell "
            "the misalignment, too)"
        )
    accelerometer = calibrate_accelerometer(rests, gravity_m_s2)
    if accelerometer.residual > _LARGEST_RESIDUAL * gravity_m_s2:
        raise InputError(
            f"the calibrated rests differ from |g| by {accelerometer.residual:.3g} m/s², expected "
            f"less than {_LARGEST_RESIDUAL * gravity_m_s2:.2g}; the sensor moved or its support "
            "shook while it should rest, or it warmed up: record again"
        )
    turns = turns_between(stamps_ns, values, rests, accelerometer)
    check_axes(turns)
    gyroscope = calibrate_gyroscope(rests, turns, accelerometer)
    return rests, accelerometer, gyroscope, gyroscope.residual if gyroscope.full else None


def doubts(section: ImuSection) -> Iterator[str]:
    """Sentences on what the recording did not tell."""
    if "accel misalignment" not in section.determined:
        yield (
            f"{section.orientations} orientations do not tell the accelerometer's misalignment, "
            "which is left at none; 12 and more, on edges and corners too, do"
        )
    if "gyro matrix" not in section.determined:
        yield (
            "the turns do not tell the gyroscope's scale and misalignment, which are left at none; "
            "turn the sensor by hand between the rests, about all axes, ten times and more"
        )


def _read(blocks: Iterable[SampleBlock]) -> tuple[NDArray[np.int64], Values]:
    stamps, values, readings = [], [], 0
    for block in blocks:
        stamps.append(block.stamps_ns)
        values.append(block.values)
        readings += block.count
        if readings > _MOST_READINGS:
            raise InputError(
                f"the recording has more than {_MOST_READINGS} readings; a calibration takes "
                "minutes: choose its part by --from and --to"
            )
    if not readings:
        raise InputError("the IMU stream has no usable readings; is the right topic chosen?")
    stamps_ns, rows = np.concatenate(stamps), np.concatenate(values)
    rising = rises(stamps_ns)
    return stamps_ns[rising], rows[rising]


def _check_unit(rests: Rests, gravity_m_s2: float) -> None:
    size = float(np.median(np.linalg.norm(rests.means[:, :3], axis=1)))
    if abs(size / gravity_m_s2 - 1) <= _PLAUSIBLE:
        return
    fits = [u for u, f in _UNITS.items() if abs(size * f / gravity_m_s2 - 1) <= _PLAUSIBLE]
    fix = (
        f"it looks like {fits[0]}: give --stream TOPIC=imu,unit={fits[0]}"
        if fits
        else "neither m/s², g nor mg: check the driver; gravity must be in"
    )
    raise InputError(f"at rest the accelerometer measures {size:.4g} m/s², expected 9.8; {fix}")


def _check_clipping(values: Values, rests: Rests) -> None:
    """Refuse readings that stand at an axis's extreme while the sensor is turned."""
    moving = np.ones(len(values), bool)
    for begin, end in rests.bounds:
        moving[begin:end] = False
    for axis in range(6):
        column = values[:, axis]
        for extreme in (column.max(), column.min()):
            at = np.concatenate([[0], (moving & (column == extreme)).astype(np.int8), [0]])
            edges = np.flatnonzero(np.diff(at)).reshape(-1, 2)
            usual = np.abs(rests.means[:, axis]).max()
            if len(edges) and np.diff(edges).max() >= _CLIPPED_RUN and abs(extreme) > 1.02 * usual:
                name = "accelerometer" if axis < 3 else "gyroscope"
                raise InputError(
                    f"axis {'xyz'[axis % 3]} of the {name} is saturated at {extreme:.5g} in "
                    f"{np.diff(edges).max()} readings on end; turn the sensor more gently, or "
                    "choose a larger full scale"
                )


def _numbers(matrix: Values) -> tuple[float, ...]:
    return tuple(float(value) for value in matrix.reshape(-1))


def _triple(values: Values) -> Triple:
    x, y, z = _numbers(values)
    return x, y, z
