# SPDX-License-Identifier: Apache-2.0
"""Pictures of the sections of a calibration file, from what the file itself holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.calibration.applied import invalid_pixels
from sensebind.grid import NS_PER_S
from sensebind.preprocess.thermal import ZERO_CELSIUS_K
from sensebind_calibration.plot import COLOURS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

    from sensebind_calibration.sections import (
        AllanSection,
        ClockSection,
        ImuSection,
        SensorNoise,
    )
    from sensebind_calibration.sense_sections import (
        DepthSection,
        MicrophoneSection,
        ScoresSection,
        ThermalSection,
    )

_BLUE, _YELLOW, _RED = COLOURS
_GREY = "#888888"
_HOURS = 8.0


def draw_allan_section(figure: SubFigure, section: AllanSection, _file: Path) -> None:
    """The deviations that the terms found imply, over span."""
    panels = figure.subplots(1, 2)
    of = (
        ("accelerometer", "m/s²", section.accelerometer),
        ("gyroscope", "rad/s", section.gyroscope),
    )
    for axes, (name, unit, noise) in zip(panels, of, strict=True):
        _draw_noise(axes, noise, section.provenance.duration_s)
        axes.set_title(f"{name}, {unit}")


def draw_imu_section(figure: SubFigure, section: ImuSection, _file: Path) -> None:
    """Biases, and how far the matrices are from the identity, with their intervals."""
    panels = figure.subplots(1, 2)
    off = 100 * (np.array([section.accel_matrix, section.gyro_matrix]) - np.eye(3).ravel())
    halves = 100 * np.array([section.accel_matrix_interval, section.gyro_matrix_interval])
    names = [row + column for row in "xyz" for column in "xyz"]
    for number, (name, colour) in enumerate((("accelerometer", _BLUE), ("gyroscope", _YELLOW))):
        places = np.arange(9) + 0.2 * (2 * number - 1)
        panels[0].errorbar(places, off[number], halves[number], fmt="o", color=colour, label=name)
    panels[0].set_xticks(range(9), names)
    panels[0].set_title("matrix less the identity, %")
    for number, (bias, half, colour, label) in enumerate((
        (section.accel_bias, section.accel_bias_interval, _BLUE, "accelerometer, m/s²"),
        (section.gyro_bias, section.gyro_bias_interval, _YELLOW, "gyroscope, rad/s"),
    )):  # fmt: skip
        places = np.arange(3) + 0.1 * (2 * number - 1)
        panels[1].errorbar(places, bias, half, fmt="o", color=colour, label=label)
    panels[1].set_xticks(range(3), list("xyz"))
    panels[1].set_title("bias")
    for axes in panels:
        axes.axhline(0, color=_GREY, linewidth=0.8)
        axes.legend()


def draw_microphone(figure: SubFigure, section: MicrophoneSection, _file: Path) -> None:
    """Levels, and the mel range while it was quiet and loud."""
    levels, mel = figure.subplots(1, 2, width_ratios=(1, 2))
    bars = {"noise floor": section.noise_floor_dbfs, "loud parts": section.signal_dbfs,
            "target": section.target_dbfs}  # fmt: skip
    told = {name: level for name, level in bars.items() if level is not None}
    levels.bar(list(told), [level + 120 for level in told.values()], bottom=-120, color=_BLUE)
    levels.set_ylim(-120, 3)
    levels.set_title("level, dBFS")
    mel.set_title("mel range, dB")
    if section.mel is None:
        _say_nothing(mel, "no sound of a wide range was recorded")
        return
    hertz = section.mel.centres_hz
    mel.semilogx(hertz, section.mel.loud_db, color=_RED, label="loud")
    mel.semilogx(hertz, section.mel.quiet_db, color=_BLUE, label="quiet")
    for first, last in section.mel.silent:
        mel.axvspan(hertz[first], hertz[last], color=_GREY, alpha=0.3, label="carries nothing")
    mel.set_xlabel("Hz")
    mel.legend()


def draw_depth(figure: SubFigure, section: DepthSection, file: Path) -> None:
    """Errors of the distances before and after, and the pixels that never measure."""
    errors, pixels = figure.subplots(1, 2)
    told = [(v.true_m, v.distance_m) for v in section.views if v.true_m and v.distance_m]
    errors.set_title("error of the distance, mm")
    if told:
        true, read = (np.array(column) for column in zip(*told, strict=True))
        after = section.scale * read + section.offset_m
        for values, colour, label in ((read, _RED, "as read"), (after, _BLUE, "calibrated")):
            errors.plot(true, 1e3 * (values - true), "o-", color=colour, label=label)
        errors.axhline(0, color=_GREY, linewidth=0.8)
        errors.set_xlabel("distance, m")
        errors.legend()
    else:
        _say_nothing(errors, "no distance was told")
    pixels.set_title(f"{section.invalid_pixels} pixels never measure")
    if section.invalid is None:
        _say_nothing(pixels, "none is barred")
    else:
        pixels.imshow(invalid_pixels(file, section.invalid), cmap="gray_r")


def draw_thermal(figure: SubFigure, section: ThermalSection, _file: Path) -> None:
    """What was read of known temperatures, and the line through it."""
    axes, left = figure.subplots(1, 2)
    read = np.array([view.read_k for view in section.views])
    true = np.array([view.true_k for view in section.views])
    line = section.scale * read + section.offset_k
    order = np.argsort(read)
    axes.plot(read[order], line[order] - ZERO_CELSIUS_K, color=_BLUE, label="calibrated")
    axes.plot(read, true - ZERO_CELSIUS_K, "o", color=_RED, label="told")
    axes.set_xlabel("as read")
    axes.set_ylabel("°C")
    axes.legend()
    left.plot(true - ZERO_CELSIUS_K, line - true, "o", color=_BLUE)
    left.axhline(0, color=_GREY, linewidth=0.8)
    left.set_title("calibrated less true, K")
    left.set_xlabel("°C")


def draw_clock(figure: SubFigure, section: ClockSection, _file: Path) -> None:
    """What the offset becomes in the hours to come, and how well it is known then."""
    shift, known = figure.subplots(1, 2)
    hours = np.linspace(0, _HOURS, 50)
    after_ns = (hours * 3600 * NS_PER_S).astype(np.int64)
    offset_ms = (section.offset_ns + section.slope * after_ns) / 1e6
    half_ms = (
        np.array([section.uncertainty_ns(section.reference_ns + int(n)) for n in after_ns]) / 1e6
    )
    shift.plot(hours, offset_ms - offset_ms[0], color=_BLUE)
    lost = offset_ms - offset_ms[0]
    shift.fill_between(hours, lost - half_ms, lost + half_ms, color=_BLUE, alpha=0.2)
    shift.set_title("drift of the offset, ms")
    known.plot(hours, half_ms, color=_RED)
    known.set_title("half of its 95 % interval, ms")
    for axes in (shift, known):
        axes.set_xlabel("hours after it was measured")


def draw_scores(figure: SubFigure, section: ScoresSection, _file: Path) -> None:
    """Reliability diagram, and least cosines by class."""
    diagram, limits = figure.subplots(1, 2)
    diagram.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8)
    diagram.set_title("share of right labels over the score")
    if section.reliability:
        right = [each.right for each in section.reliability]
        spans = np.array([each.right_interval for each in section.reliability])
        around = np.abs(spans.T - right)
        before = [each.score_before for each in section.reliability]
        diagram.plot(before, right, "o", color=_RED, label="before")
        after = [each.score for each in section.reliability]
        diagram.errorbar(after, right, around, fmt="o-", color=_BLUE, label="calibrated")
        diagram.legend()
    else:
        _say_nothing(diagram, "no windows with labels")
    told = {name: each.cosine for name, each in section.thresholds.items()}
    if section.unknown_threshold is not None:
        told["any class"] = section.unknown_threshold.cosine
    limits.set_title("least cosine")
    if told:
        limits.barh(list(told), list(told.values()), color=_YELLOW)
    else:
        _say_nothing(limits, "no thresholds")


DRAWINGS: dict[str, Callable[[SubFigure, Any, Path], None]] = {
    "allan": draw_allan_section,
    "imu": draw_imu_section,
    "microphone": draw_microphone,
    "depth": draw_depth,
    "thermal": draw_thermal,
    "clock": draw_clock,
    "scores": draw_scores,
}
"""What draws which kind of section of a calibration file, whose path it is told."""


def _draw_noise(axes: Axes, noise: SensorNoise, duration_s: float) -> None:
    taus_s = np.geomspace(1e-2, max(duration_s / 9, 1.0), 100)
    for place, colour in enumerate(COLOURS):
        density, walk = noise.noise_density[place], noise.random_walk[place]
        axes.loglog(
            taus_s,
            np.sqrt(density**2 / taus_s + walk**2 * taus_s / 3),
            color=colour,
            label=f"{'xyz'[place]}: N {density:.3g}/√Hz",
        )
        axes.loglog(noise.minimum_tau_s[place], noise.minimum[place], "o", color=colour)
    axes.set_xlabel("span, s (points: least deviation measured)")
    axes.legend()


def _say_nothing(axes: Axes, why: str) -> None:
    axes.text(0.5, 0.5, why, ha="center", va="center", transform=axes.transAxes, color=_GREY)
    axes.set_xticks([])
    axes.set_yticks([])
