# SPDX-License-Identifier: Apache-2.0
"""What a calibration file says of each stream, as far as a run applies it.

A file has a section `[kind."STREAM"]` per kind of calibration and stream. Estimators add what
stands behind the numbers (intervals, residuals); a run does not read that.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec
from msgspec import Meta

from sensebind.types import Modality

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 1
"""Version of the file's layout."""

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Size = Annotated[int, Meta(ge=0)]
Triple = tuple[float, float, float]
Nine = Annotated[tuple[float, ...], Meta(min_length=9, max_length=9)]

_LARGEST_DRIFT_PPM = 10_000.0


class Provenance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where numbers came from.

    Attributes:
        recording: name of the recording, or of the live source.
        sha256: hash of its bytes, "" where it has none.
        date: when the numbers were estimated, ISO 8601 in UTC.
        version: of SenseBind.
        rate_hz: samples per second (of sound the nominal rate), 0 where it does not matter.
        readings: how many samples or frames were used.
        duration_s: time they span.
        serial: of the sensor, "" if it was not told.
        temperature_c: of the sensor while recording, None if it was not told.
    """

    recording: str
    sha256: str
    date: str
    version: str
    rate_hz: NotNegative = 0.0
    readings: int = 0
    duration_s: float = 0.0
    serial: str = ""
    temperature_c: float | None = None


class Section(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all sections have.

    Attributes:
        KIND: the table's name in the file.
        MODALITY: of the streams it can be of; None for any.
        provenance: where the numbers came from.
    """

    KIND: ClassVar[str]
    MODALITY: ClassVar[Modality | None] = None

    provenance: Provenance

    def __post_init__(self) -> None:
        """Refuse numbers that are none, which TOML can write."""
        for name in self.__struct_fields__:
            if not all(map(math.isfinite, _numbers(getattr(self, name)))):
                raise ValueError(f"Expected finite numbers - at `$.{name}`")


class ImuSection(Section, frozen=True, kw_only=True, omit_defaults=True):
    """`[imu."STREAM"]`: calibrated = matrix · (raw - bias), in the sensor's own axes.

    Attributes:
        accel_matrix, accel_bias: of the accelerometer; row-major 3x3, bias in m/s².
        gyro_matrix, gyro_bias: of the gyroscope; row-major 3x3, bias in rad/s.
    """

    KIND = "imu"
    MODALITY = Modality.IMU

    accel_matrix: Nine
    accel_bias: Triple
    gyro_matrix: Nine
    gyro_bias: Triple


class MicrophoneSection(Section, frozen=True, kw_only=True, omit_defaults=True):
    """`[microphone."STREAM"]`: calibrated = gain · (raw - dc_offset), samples of full scale 1.

    Attributes:
        gain: factor of the samples.
        dc_offset: mean of the samples in silence.
        true_rate_hz: samples per second by the reference clock, where the nominal rate is
            `provenance.rate_hz`; it places samples in time and does not change them.
        rate_ppm: by how much the true rate exceeds the nominal one; for people.
        noise_floor_dbfs: level of silence, for people.
        latency_s: from sound to sample, for people.
    """

    KIND = "microphone"
    MODALITY = Modality.AUDIO

    gain: Positive = 1.0
    dc_offset: Annotated[float, Meta(gt=-1, lt=1)] = 0.0
    true_rate_hz: Positive | None = None
    rate_ppm: float | None = None
    noise_floor_dbfs: float | None = None
    latency_s: float | None = None

    def __post_init__(self) -> None:
        """Check the true rate against the nominal one."""
        Section.__post_init__(self)
        nominal_hz = self.provenance.rate_hz
        if self.true_rate_hz is None:
            return
        if not abs(self.true_rate_hz - nominal_hz) <= _LARGEST_DRIFT_PPM * 1e-6 * nominal_hz:
            raise ValueError(
                f"Expected a rate within 1 % of provenance.rate_hz = {nominal_hz:g} - at "
                "`$.true_rate_hz`"
            )


class InvalidMap(msgspec.Struct, frozen=True, kw_only=True):
    """Pixels that measure nothing: a grey PNG file beside the calibration file, above 0 there.

    Attributes:
        file: its name, without a folder.
        sha256: of its bytes.
        width, height: of the frames it holds for.
    """

    file: str
    sha256: str
    width: Size
    height: Size

    def __post_init__(self) -> None:
        """Check that the file lies beside."""
        if {"/", "\\", "\0"} & set(self.file) or self.file in ("", ".", ".."):
            raise ValueError("Expected the name of a file beside this one - at `$.file`")


class DepthSection(Section, frozen=True, kw_only=True, omit_defaults=True):
    """`[depth."STREAM"]`: calibrated = scale · (metres as read) + offset_m.

    Attributes:
        scale, offset_m: see above.
        min_range_m, max_range_m: calibrated depths outside are holes; None for no limit.
        invalid: pixels that are never used; None for none.
        focal_px: focal length along x, of frames of `width`; None to take what the frames tell.
        baseline_m: of the stereo pair, for people: an encoder of disparities takes its bundle's.
        width, height: of the frames it was measured on; 0 if unknown.
    """

    KIND = "depth"
    MODALITY = Modality.DEPTH

    scale: Positive = 1.0
    offset_m: float = 0.0
    min_range_m: NotNegative | None = None
    max_range_m: Positive | None = None
    invalid: InvalidMap | None = None
    focal_px: Positive | None = None
    baseline_m: Positive | None = None
    width: Size = 0
    height: Size = 0

    def __post_init__(self) -> None:
        """Check the range."""
        Section.__post_init__(self)
        low, high = self.min_range_m or 0.0, self.max_range_m
        if high is not None and not low < high:
            raise ValueError(f"Expected more than min_range_m = {low:g} - at `$.max_range_m`")


class ThermalSection(Section, frozen=True, kw_only=True, omit_defaults=True):
    """`[thermal."STREAM"]`: calibrated = scale · (kelvin as read) + offset_k.

    "As read" is by the stream's unit or scale, or the frame's; a count is a kelvin without any.

    Attributes:
        scale, offset_k: see above.
    """

    KIND = "thermal"
    MODALITY = Modality.THERMAL

    scale: Positive = 1.0
    offset_k: float = 0.0


class ClockSection(Section, frozen=True, kw_only=True, omit_defaults=True):
    """`[clock."STREAM"]`: a stream's stamps by the clock of another one, the reference.

    by the reference = stamp + offset_ns + slope · (stamp - reference_ns), where
    slope = 1 / (1 + drift_ppm · 1e-6) - 1.

    Attributes:
        reference: the stream whose stamps are right.
        offset_ns: what is added to the stream's stamp `reference_ns`.
        reference_ns: see above.
        drift_ppm: by how much the stream's clock runs fast.
        offset_interval_ns: half of the 95 % confidence interval of the offset at `reference_ns`.
        drift_interval_ppm: half of that of the drift.
    """

    KIND = "clock"

    reference: str
    offset_ns: int
    reference_ns: int
    drift_ppm: Annotated[float, Meta(ge=-_LARGEST_DRIFT_PPM, le=_LARGEST_DRIFT_PPM)] = 0.0
    offset_interval_ns: NotNegative = 0.0
    drift_interval_ppm: NotNegative = 0.0

    @property
    def slope(self) -> float:
        """What the reference gains on the stream's clock, per second."""
        return 1 / (1 + self.drift_ppm * 1e-6) - 1

    def uncertainty_ns(self, stamp_ns: int) -> float:
        """Half of the 95 % confidence interval of the offset at a stamp."""
        gained_ns = self.drift_interval_ppm * 1e-6 * (stamp_ns - self.reference_ns)
        return math.hypot(self.offset_interval_ns, gained_ns)


class Threshold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The least cosine at which a class, or any class, is told; below it is "unknown"."""

    cosine: Annotated[float, Meta(ge=-1, le=1)]


class ScoresSection(Section, frozen=True, kw_only=True, omit_defaults=True):
    """`[scores."STREAM"]`: what zero-shot scores of a stream are worth, for one set of prompts.

    Attributes:
        space_id: of the vectors.
        encoder_id: that made them.
        prompts_sha256: of the classes and their prompts (`sensebind.zero_shot.prompts_sha256`).
        labels: the classes.
        temperature: divides the cosines.
        thresholds: least cosine by class.
        unknown_threshold: least cosine of the best class; None for no limit.
    """

    KIND = "scores"

    space_id: str
    encoder_id: str
    prompts_sha256: str
    labels: tuple[str, ...]
    temperature: Positive
    thresholds: dict[str, Threshold] = {}
    unknown_threshold: Threshold | None = None

    def __post_init__(self) -> None:
        """Check that thresholds are of classes there are."""
        Section.__post_init__(self)
        if not self.thresholds.keys() <= set(self.labels):
            raise ValueError(f"Expected classes of labels = {self.labels} - at `$.thresholds`")


SECTIONS: dict[str, type[Section]] = {
    section.KIND: section
    for section in (
        ImuSection,
        MicrophoneSection,
        DepthSection,
        ThermalSection,
        ClockSection,
        ScoresSection,
    )
}
"""What a run applies, by the table's name in the file."""


def _numbers(value: object) -> Iterator[float]:
    """The numbers of a field."""
    if isinstance(value, float):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _numbers(item)
