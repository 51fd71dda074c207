# SPDX-License-Identifier: Apache-2.0
"""A thermal camera's scale and offset from things of known temperatures.

kelvin = scale · (kelvin as read) + offset. What is known has to fill the middle of the picture, a
quarter of its width and height: a pot of water with ice in it, one of hot water and a thermometer,
a black body. Two temperatures tell both numbers, three and more how well they fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sensebind.errors import InputError
from sensebind.grid import NS_PER_S
from sensebind.preprocess.grey_frames import grey_pixels, holds_counts
from sensebind.preprocess.thermal import (
    COUNTS_AS_KELVIN,
    UNITS,
    ZERO_CELSIUS_K,
    as_read,
    stream_calibration,
)
from sensebind.types import FrameBlock
from sensebind_calibration.accelerometer import fit_linear
from sensebind_calibration.levels import batch_mean
from sensebind_calibration.recording import dated, joined_sha256
from sensebind_calibration.sense_sections import HeatView, ThermalSection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from sensebind.config import StreamConfig
    from sensebind.types import Block, Frame
    from sensebind_calibration.sections import Interval

    Values = NDArray[np.float64]

THERMOMETER_ERROR_K = 0.3
"""Standard error of a temperature told, a good household thermometer's."""
FEWEST_FRAMES = 5
_LEAST_APART_K = 10.0
_MIDDLE = 8  # the middle is two of so many parts of each side
_MOST_DRIFT = 0.2  # of the temperatures' difference
_PLAUSIBLE = (0.5, 2.0)  # scale of what was declared to be kelvin


class Heat(NamedTuple):
    """Frames of a thing of one temperature.

    Attributes:
        means: of the middle of each frame, kelvin as read.
        spread: standard deviation over the middle, mean over the frames.
        true_k: its temperature.
        recording, sha256: where it was seen.
        declared: whether a unit or scale says that it is kelvin.
        begin_ns, end_ns: first and last stamp.
    """

    means: Values
    spread: float
    true_k: float
    declared: bool
    recording: str
    sha256: str
    begin_ns: int
    end_ns: int


def feel(
    blocks: Iterable[Block], config: StreamConfig, celsius: float, recording: str, sha256: str
) -> Heat:
    """Read frames of a thing of one temperature.

    Args:
        blocks: of one thermal stream.
        config: as the stream was declared.
        celsius: the temperature.
        recording: its name.
        sha256: hash of its bytes.

    Raises:
        InputError: if there are too few frames, or they hold no temperatures.
    """
    means, spreads, stamps = [], [], []
    declared = False
    for block in blocks:
        assert isinstance(block, FrameBlock)
        kelvin, known = kelvin_as_read(block.frame, config)
        middle = _middle(kelvin)
        means.append(float(middle.mean()))
        spreads.append(float(middle.std()))
        stamps.append(block.stamp_ns)
        declared = declared or known
    if len(means) < FEWEST_FRAMES:
        raise InputError(
            f"there are {len(means)} thermal frames at {celsius:g} °C, expected at least "
            f"{FEWEST_FRAMES}; ten seconds of each temperature do"
        )
    spread = float(np.mean(spreads))
    true_k = celsius + ZERO_CELSIUS_K
    times = stamps[0], stamps[-1]
    return Heat(np.array(means), spread, true_k, declared, recording, sha256, *times)


def kelvin_as_read(frame: Frame, config: StreamConfig) -> tuple[Values, bool]:
    """Temperatures as a run reads them, float64 (h, w), and whether a unit or scale says so.

    A count is a kelvin without any.

    Raises:
        InputError: if the frame holds grey of 8 bits, which no number turns into a temperature, or
            the stream's unit is none of temperature.
    """
    if not holds_counts(frame):
        raise InputError(
            f"a {frame.encoding} frame has 8-bit pixels: the camera has made a picture of its "
            "temperatures (AGC), whose scale changes from frame to frame; switch it to 16-bit "
            "output (radiometric, TLinear, Y16) and record again"
        )
    counts: NDArray[Any] = grey_pixels(frame)
    told = stream_calibration(config)
    read = as_read(frame, counts, told, raw_counts=config.unit == "counts")
    scale, offset = read or COUNTS_AS_KELVIN
    return counts.astype(np.float64) * scale + offset, read is not None


def calibrate_thermal(
    seen: Sequence[Heat],
    *,
    error_k: float = THERMOMETER_ERROR_K,
    serial: str = "",
    temperature_c: float | None = None,
) -> ThermalSection:
    """Scale and offset from things of at least two temperatures.

    Args:
        seen: what was seen.
        error_k: standard error of the temperatures told.
        serial: of the camera, if known.
        temperature_c: of the camera, if known.

    Raises:
        InputError: if they tell no calibration, telling why and what to do.
    """
    true = np.array([heat.true_k for heat in seen])
    means = [batch_mean(heat.means) for heat in seen]
    read = np.array([mean.value for mean in means])
    errors = np.array([mean.error for mean in means])
    line = _fit(seen, read, true, errors, error_k)
    left = line.scale * read + line.offset_k - true
    return ThermalSection(
        provenance=dated(
            ", ".join(dict.fromkeys(heat.recording for heat in seen)),
            joined_sha256([heat.sha256 for heat in seen]),
            readings=sum(len(heat.means) for heat in seen),
            duration_s=sum(heat.end_ns - heat.begin_ns for heat in seen) / NS_PER_S,
            serial=serial,
            temperature_c=temperature_c,
        ),
        scale=line.scale,
        scale_interval=_about(line.scale, line.scale_half),
        offset_k=line.offset_k,
        offset_interval=_about(line.offset_k, line.offset_half),
        views=tuple(map(_view, seen, read, errors)),
        range_k=(float(true.min()), float(true.max())),
        residual_k=float(np.sqrt(np.mean(left**2))) if len(seen) > 2 else None,
        raw_residual_k=float(np.sqrt(np.mean((read - true) ** 2))),
    )


class _Line(NamedTuple):
    """kelvin = scale · read + offset, and half of the 95 % intervals."""

    scale: float
    offset_k: float
    scale_half: float
    offset_half: float


def _fit(seen: Sequence[Heat], read: Values, true: Values, errors: Values, error_k: float) -> _Line:
    """A line through what was read, weighted by the errors of both."""
    if np.ptp(true) < _LEAST_APART_K:
        raise InputError(
            f"{len(seen)} temperatures that differ by {np.ptp(true):.3g} K were told, expected two "
            f"and more that differ by {_LEAST_APART_K:g} K: ice in water (0 °C) and hot water, for "
            "example"
        )
    slope = float(np.polyfit(read, true, 1)[0]) if np.ptp(read) > 0 else 0.0
    _check(seen, read, slope)
    weights = 1 / np.maximum(np.hypot(slope * errors, error_k), 1e-9)
    # About the middle of the temperatures, where the two numbers hardly depend on each other.
    centre = float(read.mean())
    design = np.stack([read - centre, np.ones_like(read)], axis=1)
    values, covariance, quantile = fit_linear(design, true, weights)
    shift = np.array([-centre, 1.0])
    halves = quantile * np.sqrt([covariance[0, 0], shift @ covariance @ shift])
    scale, height = map(float, values)
    return _Line(scale, height - scale * centre, float(halves[0]), float(halves[1]))


def _view(heat: Heat, read_k: float, error_k: float) -> HeatView:
    return HeatView(
        read_k=float(read_k),
        error_k=float(error_k),
        true_k=heat.true_k,
        uniformity_k=heat.spread,
        frames=len(heat.means),
    )


def doubts(section: ThermalSection) -> Iterator[str]:
    """Sentences on what the recordings did not tell."""
    if len(section.views) == 2:
        yield ("two temperatures fit any line; a third one between them tells how good the line is")
    for view in section.views:
        if view.uniformity_k * section.scale > 1.0:
            yield (
                f"what should have {view.true_k - ZERO_CELSIUS_K:g} °C differs by "
                f"{view.uniformity_k * section.scale:.2g} K over the middle of the picture; does "
                "it fill the middle, and is it of one temperature?"
            )


def _middle(values: Values) -> Values:
    height, width = values.shape
    rows = slice(height * 3 // _MIDDLE, max(height * 5 // _MIDDLE, height * 3 // _MIDDLE + 1))
    columns = slice(width * 3 // _MIDDLE, max(width * 5 // _MIDDLE, width * 3 // _MIDDLE + 1))
    part = values[rows, columns]
    measured = part[np.isfinite(part)]
    if len(measured) == 0:
        raise InputError(
            "the middle of a thermal picture holds no numbers; let the camera look at the thing "
            "whose temperature is known"
        )
    return measured


def _check(seen: Sequence[Heat], read: Values, slope: float) -> None:
    """Refuse what follows no temperature, or changes meanwhile."""
    if not slope > 0:
        raise InputError(
            f"the camera reads {', '.join(f'{value:.6g}' for value in read)} for "
            f"{', '.join(f'{heat.true_k - ZERO_CELSIUS_K:g} °C' for heat in seen)}: it does not "
            "rise with the temperature; are the temperatures in the order of the recordings, and "
            "is the output linear (not AGC)?"
        )
    if seen[0].declared and not _PLAUSIBLE[0] < slope < _PLAUSIBLE[1]:
        raise InputError(
            f"a kelvin as the camera is read is {slope:.3g} K, expected about 1: the unit of the "
            f"stream is declared wrong; give --stream TOPIC=thermal,unit=UNIT ({', '.join(UNITS)}, "
            "or counts for any)"
        )
    usual = _LEAST_APART_K / slope
    for heat in seen:
        parts = np.array_split(heat.means, 3)
        drift = float(np.median(parts[-1]) - np.median(parts[0]))
        if abs(drift) > _MOST_DRIFT * usual:
            raise InputError(
                f"the reading of {heat.true_k - ZERO_CELSIUS_K:g} °C changes by "
                f"{drift * slope:+.2g} K while it is recorded, expected less than "
                f"{_MOST_DRIFT * usual * slope:.2g} K: the camera warms up or moved, or the thing "
                "cools; let the camera run for ten minutes first, and record ten seconds each"
            )
        if heat.spread * slope > _LEAST_APART_K:
            raise InputError(
                f"what should have {heat.true_k - ZERO_CELSIUS_K:g} °C differs by "
                f"{heat.spread * slope:.3g} K over the middle of the picture; bring the camera so "
                "near that it fills the middle, out of the way of reflections"
            )


def _about(value: float, half: float) -> Interval:
    return value - half, value + half
