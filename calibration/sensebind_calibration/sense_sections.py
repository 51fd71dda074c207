# SPDX-License-Identifier: Apache-2.0
"""What a calibration file says of microphones, depth and thermal cameras, and of scores."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from sensebind_calibration.sections import Interval, Provenance

Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
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


class MicrophoneSection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`[microphone."STREAM"]`: calibrated = gain · (raw - dc_offset), full scale ±1.

    `provenance.rate_hz` is the nominal rate. Levels are of the raw samples, in dBFS as AES17 has
    it: a sine of full scale has 0 dBFS. Intervals are of 95 % confidence.

    Attributes:
        gain: factor that takes the loud parts to `target_dbfs`; 1 without a target.
        gain_interval: None without a target.
        dc_offset, dc_offset_interval: mean of the samples while it was quiet.
        noise_floor_dbfs, noise_floor_interval: level while it was quiet.
        signal_dbfs: level of the loud parts; None if there were none.
        peak: largest magnitude of a sample.
        clipped: share of the samples that stand at the end of the scale.
        target_dbfs: the level that was asked for.
        true_rate_hz: samples per second of the reference clock; None if nothing told it.
        rate_ppm, rate_ppm_interval: by how much the sensor's clock runs fast.
        rate_by: what told it: "arrival" or "stamps".
        latency_s, latency_interval: from playing a sound to having recorded it, through speaker
            and microphone; None if it was not measured.
        mel: what of the mel range comes through; None where no sound told it.
    """

    provenance: Provenance
    gain: Positive = 1.0
    gain_interval: Interval | None = None
    dc_offset: float
    dc_offset_interval: Interval
    noise_floor_dbfs: float
    noise_floor_interval: Interval
    signal_dbfs: float | None = None
    peak: float
    clipped: Share
    target_dbfs: float | None = None
    true_rate_hz: float | None = None
    rate_ppm: float | None = None
    rate_ppm_interval: Interval | None = None
    rate_by: str = ""
    latency_s: float | None = None
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


class InvalidMap(msgspec.Struct, frozen=True, kw_only=True):
    """Pixels that measure nothing: a grey PNG file beside the calibration file, 255 where invalid.

    Attributes:
        file: its name, without a folder.
        sha256: of its bytes.
        count: how many pixels it bars.
        width, height: of the frames it holds for.
    """

    file: str
    sha256: str
    count: int
    width: int
    height: int


class DepthSection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`[depth."STREAM"]`: calibrated = scale · (metres as read) + offset_m.

    Attributes:
        scale, scale_interval: 1 and None if no distance was told; 95 % confidence.
        offset_m, offset_interval: 0 and None if fewer than two distances were told.
        determined: which of "scale" and "offset" the recordings told.
        views: the walls that were seen.
        residual_m: root mean square of true less calibrated distance; None with too few to tell.
        raw_residual_m: the same without the calibration; None if no distance was told.
        min_range_m, max_range_m: calibrated; distances beyond were tried and not measured. None
            where none failed on that side.
        flying: share of the measured pixels that hang in the air between two surfaces.
        edges: share of the measured pixels that lie at such an edge, of which `flying` can be.
        invalid: pixels that never measure; None if there are none, or it was not looked for.
        focal_px: along x, of frames of `width`.
        baseline_m: between the imagers of a stereo camera.
        width, height: of the frames.
    """

    provenance: Provenance
    scale: Positive = 1.0
    scale_interval: Interval | None = None
    offset_m: float = 0.0
    offset_interval: Interval | None = None
    determined: tuple[str, ...] = ()
    views: tuple[PlaneView, ...] = ()
    residual_m: float | None = None
    raw_residual_m: float | None = None
    min_range_m: float | None = None
    max_range_m: float | None = None
    flying: Share = 0.0
    edges: Share = 0.0
    invalid: InvalidMap | None = None
    focal_px: float | None = None
    baseline_m: float | None = None
    width: int
    height: int


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


class ThermalSection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`[thermal."STREAM"]`: kelvin = scale · (kelvin as read) + offset_k.

    "As read" is by the stream's unit or scale, or the frame's; a count is a kelvin without any.

    Attributes:
        scale, scale_interval: 95 % confidence.
        offset_k, offset_interval: 95 % confidence.
        views: what was seen, at least two temperatures.
        range_k: the least and greatest of them; nothing is known beyond.
        residual_k: root mean square of true less calibrated; None of two temperatures.
        raw_residual_k: the same without the calibration.
    """

    provenance: Provenance
    scale: float
    scale_interval: Interval
    offset_k: float
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


class Threshold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The least cosine at which a class, or any class, is told.

    Attributes:
        cosine: a window whose best class lies below is "unknown".
        false_alarms: share of the windows without the class at or above it, at most, on average
            over calibrations like this one.
        false_alarms_interval: 95 % of such calibrations have a share within it.
        negatives: windows without the class that told it.
        found, found_interval: share of the windows of the class at or above it, 95 % confidence;
            None without labelled ones.
    """

    cosine: Annotated[float, Meta(ge=-1, le=1)]
    false_alarms: Share
    false_alarms_interval: Interval
    negatives: int
    found: float | None = None
    found_interval: Interval | None = None


class ScoresSection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`[scores."STREAM"]`: what zero-shot scores of a stream are worth.

    Attributes:
        space_id: of the vectors.
        encoder_id: that made them.
        prompts_sha256: of the classes and their prompts (`sensebind.zero_shot.prompts_sha256`).
        labels: the classes.
        determined: which of "temperature", "thresholds" and "unknown_threshold" the windows told.
        temperature: for `ZeroShot(temperature=…)`.
        temperature_interval: 95 % confidence, profile likelihood.
        thresholds: least cosine by class.
        unknown_threshold: least cosine of the best class, for `min_cosine`.
        windows: labelled ones that do not overlap, classes and background.
        background: those of no class among them.
        accuracy, accuracy_interval: share of the windows of classes that are labelled right.
        ece, ece_interval: expected calibration error with the temperature found, by
            cross-fitting; 95 % by bootstrap.
        ece_before, ece_before_interval: with `temperature_before`.
        temperature_before: the one the windows would have been scored with.
        reliability: its diagram.
    """

    provenance: Provenance
    space_id: str
    encoder_id: str
    prompts_sha256: str
    labels: tuple[str, ...]
    determined: tuple[str, ...]
    temperature: Positive
    temperature_interval: Interval | None = None
    thresholds: dict[str, Threshold] = {}
    unknown_threshold: Threshold | None = None
    windows: int
    background: int
    accuracy: float | None = None
    accuracy_interval: Interval | None = None
    ece: float | None = None
    ece_interval: Interval | None = None
    ece_before: float | None = None
    ece_before_interval: Interval | None = None
    temperature_before: Positive
    reliability: tuple[ReliabilityBin, ...] = ()
