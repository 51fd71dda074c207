# SPDX-License-Identifier: Apache-2.0
"""What a calibration file says of microphones, depth and thermal cameras, and of scores."""

from __future__ import annotations

import msgspec

from sensebind.calibration.sections import DepthSection as AppliedDepth
from sensebind.calibration.sections import MicrophoneSection as AppliedMicrophone
from sensebind.calibration.sections import Positive, Share
from sensebind.calibration.sections import ScoresSection as AppliedScores
from sensebind.calibration.sections import ThermalSection as AppliedThermal
from sensebind.calibration.sections import Threshold as AppliedThreshold
from sensebind_calibration.sections import Interval  # noqa: TC001 - msgspec resolves it

Span = tuple[int, int]


class MelBands(msgspec.Struct, frozen=True, kw_only=True):
    """What of a front end's mel range a microphone carries.

    Attributes:
        low_hz, high_hz: feet of the outermost filters of the front end.
        centres_hz: middle of each filter.
        quiet_db, loud_db: level of each filter's mean power while it was quiet and while it was
            loud, decibels; equal scale, arbitrary zero.
        silent: first and last filter (from 0) of each run that carries nothing.
    """

    low_hz: float
    high_hz: float
    centres_hz: tuple[float, ...]
    quiet_db: tuple[float, ...]
    loud_db: tuple[float, ...]
    silent: tuple[Span, ...] = ()


class MicrophoneSection(AppliedMicrophone, frozen=True, kw_only=True, omit_defaults=True):
    """`[microphone."STREAM"]`, with what stands behind its numbers.

    Levels are of the raw samples, in dBFS as AES17 has it: a sine of full scale has 0 dBFS.
    Intervals are of 95 % confidence.

    Attributes:
        noise_floor_dbfs: level while it was quiet.
        gain_interval: None without a target; then the gain is 1.
        dc_offset_interval: of the mean while it was quiet.
        noise_floor_interval: of the level while it was quiet.
        signal_dbfs: level of the loud parts; None if there were none.
        peak: largest magnitude of a sample.
        clipped: share of the samples that stand at the end of the scale.
        target_dbfs: the level that the gain takes the loud parts to; None if none was asked for.
        rate_ppm_interval: None if nothing told the true rate.
        rate_by: what told it: "arrival" or "stamps".
        latency_interval: of `latency_s`, from playing a sound to having recorded it, through
            speaker, air and microphone; None if it was not measured.
        mel: what of the mel range comes through; None where no sound told it.
    """

    noise_floor_dbfs: float
    gain_interval: Interval | None = None
    dc_offset_interval: Interval
    noise_floor_interval: Interval
    signal_dbfs: float | None = None
    peak: float
    clipped: Share
    target_dbfs: float | None = None
    rate_ppm_interval: Interval | None = None
    rate_by: str = ""
    latency_interval: Interval | None = None
    mel: MelBands | None = None


class PlaneView(msgspec.Struct, frozen=True, kw_only=True):
    """A wall as a depth camera saw it.

    Attributes:
        distance_m: from the camera to the wall, as the camera has it; None where it saw no plane.
        true_m: by the tape; None if it was not told.
        tilt_deg: of the wall against the picture; None without intrinsics.
        rms_m: of the pixels about the plane, in metres along the ray.
        noise_m: of a pixel from frame to frame.
        filled: share of the middle's pixels that were measured.
        frames: how many were used.
    """

    distance_m: float | None = None
    true_m: float | None = None
    tilt_deg: float | None = None
    rms_m: float | None = None
    noise_m: float | None = None
    filled: Share
    frames: int


class DepthSection(AppliedDepth, frozen=True, kw_only=True, omit_defaults=True):
    """`[depth."STREAM"]`, with what stands behind its numbers. Intervals are of 95 % confidence.

    Attributes:
        scale_interval: None if no distance was told; then the scale is 1.
        offset_interval: None if fewer than two distances were told; then the offset is 0.
        determined: which of "scale" and "offset" the recordings told.
        views: the walls that were seen.
        residual_m: root mean square of true less calibrated distance; None with too few to tell.
        raw_residual_m: the same without the calibration; None if no distance was told.
        invalid_pixels: how many pixels never measure.
        edges: share of the measured pixels that lie where depth jumps.
        flying: share of those that hang in the air between the two surfaces.
    """

    scale_interval: Interval | None = None
    offset_interval: Interval | None = None
    determined: tuple[str, ...] = ()
    views: tuple[PlaneView, ...] = ()
    residual_m: float | None = None
    raw_residual_m: float | None = None
    invalid_pixels: int = 0
    edges: Share = 0.0
    flying: Share = 0.0


class HeatView(msgspec.Struct, frozen=True, kw_only=True):
    """Something of a known temperature as a thermal camera saw it.

    Attributes:
        read_k: mean of the middle of the picture, kelvin as read.
        error_k: standard error of it.
        true_k: its temperature.
        uniformity_k: spread (standard deviation) over the middle of the picture.
        frames: how many were used.
    """

    read_k: float
    error_k: float
    true_k: float
    uniformity_k: float
    frames: int


class ThermalSection(AppliedThermal, frozen=True, kw_only=True, omit_defaults=True):
    """`[thermal."STREAM"]`, with what stands behind its numbers.

    Attributes:
        scale_interval, offset_interval: 95 % confidence.
        views: what was seen, at least two temperatures.
        range_k: the least and greatest of them; nothing is known beyond.
        residual_k: root mean square of true less calibrated; None of two temperatures.
        raw_residual_k: the same without the calibration.
    """

    scale_interval: Interval
    offset_interval: Interval
    views: tuple[HeatView, ...]
    range_k: Interval
    residual_k: float | None = None
    raw_residual_k: float


class ReliabilityBin(msgspec.Struct, frozen=True, kw_only=True):
    """Windows whose best class has about the same score.

    Attributes:
        score, score_before: their mean score with the temperature found and with the one before.
        right: share of them that are labelled right.
        right_interval: 95 % confidence.
        windows: how many.
    """

    score: Share
    score_before: Share
    right: Share
    right_interval: Interval
    windows: int


class Threshold(AppliedThreshold, frozen=True, kw_only=True, omit_defaults=True):
    """A least cosine, with what it was taken from.

    Attributes:
        false_alarms: share of the windows without the class that reach it, at most, on average
            over calibrations like this one.
        false_alarms_interval: 95 % of such calibrations have a share within it.
        negatives: windows without the class that told it.
        found, found_interval: share of the windows of the class that reach it, 95 % confidence;
            None without labelled ones.
    """

    false_alarms: Share
    false_alarms_interval: Interval
    negatives: int
    found: float | None = None
    found_interval: Interval | None = None


class ScoresSection(AppliedScores, frozen=True, kw_only=True, omit_defaults=True):
    """`[scores."STREAM"]`, with what stands behind its numbers. Intervals: 95 % confidence.

    Attributes:
        determined: which of "temperature", "thresholds" and "unknown_threshold" the windows told.
        temperature_interval: by profile likelihood; None if the temperature was not told.
        thresholds, unknown_threshold: with what they were taken from.
        windows: used; they do not overlap.
        background: those of no class among them.
        accuracy, accuracy_interval: share of the windows of classes that are labelled right.
        ece, ece_interval: expected calibration error with the temperature found, by
            cross-fitting; interval by the bootstrap's scatter.
        ece_perfect: what scores that are exactly right would show, of so few windows.
        ece_before, ece_before_interval: with `temperature_before`.
        temperature_before: what scores are made with by default.
        reliability: the diagram of the windows of classes.
    """

    determined: tuple[str, ...]
    temperature_interval: Interval | None = None
    thresholds: dict[str, Threshold] = msgspec.field(default_factory=dict)  # type: ignore[assignment]
    unknown_threshold: Threshold | None = None
    windows: int
    background: int
    accuracy: float | None = None
    accuracy_interval: Interval | None = None
    ece: float | None = None
    ece_interval: Interval | None = None
    ece_perfect: float | None = None
    ece_before: float | None = None
    ece_before_interval: Interval | None = None
    temperature_before: Positive
    reliability: tuple[ReliabilityBin, ...] = ()
