# SPDX-License-Identifier: Apache-2.0
"""Sections of microphones, depth and thermal cameras and of scores as text to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.cli.output import table
from sensebind.preprocess.thermal import ZERO_CELSIUS_K
from sensebind_calibration.cards import origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensebind_calibration.sections import Interval
    from sensebind_calibration.sense_sections import (
        DepthSection,
        MelBands,
        MicrophoneSection,
        ScoresSection,
        ThermalSection,
    )

_UNKNOWN = "not known"


def microphone_card(stream: str, section: MicrophoneSection) -> str:
    """Levels, rate, latency and range of a microphone."""
    lines = [
        f"{stream}: calibrated = gain · (raw - offset), full scale 1",
        f"from {origin(section.provenance)}",
        *_rows(_microphone_rows(section)),
    ]
    if section.mel is not None:
        lines += _mel_lines(section.mel)
    return "\n".join(lines)


def depth_card(stream: str, section: DepthSection) -> str:
    """Scale, offset, range and defects of a depth camera."""
    rows = [
        ("scale", _told(section.scale, section.scale_interval, "", 6)),
        ("offset", _told(section.offset_m, section.offset_interval, "m", 5)),
    ]
    if section.raw_residual_m is not None:
        after = "" if section.residual_m is None else f" -> {section.residual_m * 1e3:.2f}"
        rows.append(("error of distances", f"{section.raw_residual_m * 1e3:.2f}{after} mm"))
    rows += [
        ("range", _range(section.min_range_m, section.max_range_m)),
        ("pixels never measured", f"{section.invalid_pixels}"),
        ("at edges of depth", f"{section.edges:.2%} of the pixels"),
        ("hang in the air there", f"{section.flying:.1%} of these"),
        ("focal length", _optional(section.focal_px, "px")),
        ("baseline", _optional(section.baseline_m, "m")),
    ]  # fmt: skip
    headers = ["wall at", "camera says", "tilt", "flat to", "noise", "filled", "frames"]
    views = [
        [
            _optional(view.true_m, "m"),
            _optional(view.distance_m, "m"),
            _optional(view.tilt_deg, "°", 3),
            "" if view.rms_m is None else f"{view.rms_m * 1e3:.2f} mm",
            "" if view.noise_m is None else f"{view.noise_m * 1e3:.2f} mm",
            f"{view.filled:.1%}",
            str(view.frames),
        ]
        for view in section.views
    ]
    lines = [
        f"{stream}: calibrated = scale · depth + offset, {section.width} x {section.height}",
        f"from {origin(section.provenance)}",
        *_rows(rows),
        *table(headers, views).splitlines(),
    ]
    return "\n".join(lines)


def thermal_card(stream: str, section: ThermalSection) -> str:
    """Scale and offset of a thermal camera."""
    low, high = section.range_k
    rows = [
        ("scale", _told(section.scale, section.scale_interval, "", 6)),
        ("offset", _told(section.offset_k, section.offset_interval, "K", 3)),
        ("known from", f"{low - ZERO_CELSIUS_K:.1f} to {high - ZERO_CELSIUS_K:.1f} °C"),
    ]
    if section.residual_k is not None:
        rows.append(("error", f"{section.raw_residual_k:.3g} -> {section.residual_k:.3g} K"))
    views = [
        [f"{view.true_k - ZERO_CELSIUS_K:.2f} °C", f"{view.read_k:.3f} ±{1.96 * view.error_k:.3f}",
         f"{view.uniformity_k:.3f}", str(view.frames)]
        for view in section.views
    ]  # fmt: skip
    lines = [
        f"{stream}: kelvin = scale · (kelvin as read) + offset",
        f"from {origin(section.provenance)}",
        *_rows(rows),
        *table(["temperature", "as read", "spread", "frames"], views).splitlines(),
    ]
    return "\n".join(lines)


def scores_card(stream: str, section: ScoresSection) -> str:
    """Temperature and thresholds of zero-shot scores."""
    rows = [
        ("temperature", _told(section.temperature, section.temperature_interval, "", 4)
         + f", {section.temperature_before:g} before"),
        ("windows", f"{section.windows}, {section.background} of no class"),
    ]  # fmt: skip
    if section.accuracy is not None:
        rows.append(("right", _share(section.accuracy, section.accuracy_interval)))
    if section.ece is not None and section.ece_before is not None:
        before = _share(section.ece_before, section.ece_before_interval)
        rows.append(
            ("calibration error", f"{before} -> {_share(section.ece, section.ece_interval)}")
        )
    if section.ece_perfect is not None:
        rows.append(("a perfect one's", f"{section.ece_perfect:.1%} with so many windows"))
    thresholds = [("any class", section.unknown_threshold), *section.thresholds.items()]
    cells = [
        [label, f"{told.cosine:.4f}", _share(told.false_alarms, told.false_alarms_interval),
         str(told.negatives), "" if told.found is None else _share(told.found, told.found_interval)]
        for label, told in thresholds if told is not None
    ]  # fmt: skip
    headers = ["least cosine of", "", "false alarms, at most", "of windows", "found"]
    of = f"prompts {section.prompts_sha256[:12]}, space {section.space_id[:12]}"
    lines = [
        f"{stream}: zero-shot scores of {len(section.labels)} classes, {of}",
        f"from {origin(section.provenance)}",
        *_rows(rows),
        *(table(headers, cells).splitlines() if cells else ()),
    ]
    return "\n".join(lines)


def _microphone_rows(section: MicrophoneSection) -> Iterator[tuple[str, str]]:
    target = "" if section.target_dbfs is None else f" for {section.target_dbfs:g} dBFS"
    yield "gain", _told(section.gain, section.gain_interval, "", 4) + target
    yield "offset", _told(section.dc_offset, section.dc_offset_interval, "", 6)
    yield "noise floor", _told(section.noise_floor_dbfs, section.noise_floor_interval, "dBFS", 1)
    yield "loud parts", _optional(section.signal_dbfs, "dBFS")
    yield "peak", f"{section.peak:.4f}, {section.clipped:.3%} of the samples clipped"
    rate = _UNKNOWN
    if section.true_rate_hz is not None and section.rate_ppm is not None:
        ppm = _told(section.rate_ppm, section.rate_ppm_interval, "ppm", 2)
        rate = f"{section.true_rate_hz:.4f} Hz, {ppm} off (by {section.rate_by})"
    yield "true rate", rate
    latency = _UNKNOWN
    if section.latency_s is not None and section.latency_interval is not None:
        low, high = section.latency_interval
        latency = f"{section.latency_s * 1e3:.2f} ms ({low * 1e3:.2f} to {high * 1e3:.2f})"
    yield "latency", f"{latency}, from playing to having recorded"


def _mel_lines(mel: MelBands) -> Iterator[str]:
    yield f"mel range {mel.low_hz:g} to {mel.high_hz:g} Hz, {len(mel.centres_hz)} bands"
    for first, last in mel.silent:
        low_hz, high_hz = mel.centres_hz[first], mel.centres_hz[last]
        yield f"  bands {first}-{last} ({low_hz:.0f}-{high_hz:.0f} Hz) carry nothing"
    if not mel.silent:
        yield "  all bands carry sound"


def _rows(rows: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> list[str]:
    listed = list(rows)
    width = max(len(name) for name, _ in listed)
    return [f"  {name:<{width}}  {text}" for name, text in listed]


def _told(value: float, interval: Interval | None, unit: str, digits: int) -> str:
    """A number and its interval, or that nothing told it."""
    unit = f" {unit}" if unit else ""
    if interval is None:
        return f"{value:g}{unit} (not told)"
    low, high = interval
    return f"{value:.{digits}f}{unit} (95 %: {low:.{digits}f} to {high:.{digits}f})"


def _share(value: float, interval: Interval | None) -> str:
    if interval is None:
        return f"{value:.1%}"
    return f"{value:.1%} ({interval[0]:.1%} to {interval[1]:.1%})"


def _optional(value: float | None, unit: str, digits: int = 5) -> str:
    return _UNKNOWN if value is None else f"{value:.{digits}g} {unit}"


def _range(low_m: float | None, high_m: float | None) -> str:
    if low_m is None and high_m is None:
        return "no limit was met"
    low = "any" if low_m is None else f"{low_m:.3g} m"
    return f"{low} to {'any' if high_m is None else f'{high_m:.3g} m'}"
