# SPDX-License-Identifier: Apache-2.0
"""The one typed configuration behind the command line, ROS parameters and robot.toml."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from sensebind.config_fields import field_at
from sensebind.errors import ConfigError
from sensebind.types import Modality
from sensebind.units import imu_factors

if TYPE_CHECKING:
    from collections.abc import Mapping

Seconds = Annotated[float, Meta(gt=0, le=3600)]
Hop = Annotated[float, Meta(ge=0.001, le=3600)]
"""A window each millisecond is more than any engine can take."""
Positive = Annotated[float, Meta(gt=0)]
Trigger = Literal["grid", "frame"]
Policy = Literal["latest", "queue", "block"]
Order = Literal["stamp", "log"]
BackendName = Literal[
    "auto", "onnxruntime", "onnxruntime-int8", "openvino", "tensorrt", "tensorrt-rtx"
]


OPTICAL_TO_BODY = (0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
"""REP 103: camera optical axes (x right, y down, z forward) to body axes (forward, left, up)."""

_FRD = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, -1.0)
_RFU = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0)

FRAMES: dict[str, tuple[float, ...] | None] = {
    "body": None,
    "flu": None,
    "optical": OPTICAL_TO_BODY,
    "rdf": OPTICAL_TO_BODY,
    "frd": _FRD,
    "ned": _FRD,
    "rfu": _RFU,
    "enu": _RFU,
}
"""Rotations to body axes (x forward, y left, z up; REP 103) by the name of the sensor's axes: where
its x, y and z point to ("flu": forward, left, up); "optical" is a camera's, "ned" and "enu" are the
body axes that go with these world axes. None is no rotation."""


_CAMERAS = (Modality.VISION, Modality.DEPTH, Modality.THERMAL)
_OPTIONS_OF_SENSES: dict[str, tuple[Modality, ...]] = {
    "frame": (Modality.IMU,),
    "rate_hz": (Modality.AUDIO, *_CAMERAS),
    "format": (Modality.AUDIO, *_CAMERAS),
    "channels": (Modality.AUDIO,),
    "scale": (Modality.DEPTH, Modality.THERMAL),
    "offset": (Modality.THERMAL,),
    "unit": (Modality.IMU, Modality.DEPTH, Modality.THERMAL),
    "focal_px": (Modality.DEPTH,),
}
"""What tells how a stream is to be read."""
_POOLED = {"frame_pooling_s": _CAMERAS}


class StreamConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one stream is windowed and encoded; None takes the bundle's or the source's value.

    Attributes:
        modality: the encoder that reads the stream.
        frame_pooling_s: encode clips of this length instead of single frames: a clip's vector is
            the mean of those of its first and last frame, normalised. Cameras only, of encoders
            that take one frame.
        hop_s: time between windows; the manifest's default if None.
        trigger: "grid" takes the newest frame at each grid instant, "frame" the first frame of
            each grid cell (frame streams only). None is what a recording of ours stored, else
            "frame" where frames come live and "grid" in replay.
        lateness_s: how far behind the newest sample a sample may arrive and still be used.
        min_coverage: least share of a window backed by samples; the manifest's if None.
        max_age_s: oldest frame a grid instant may use; two frame periods if None.
        jitter_s: largest stamp error of a uniform stream before a gap or relock is declared;
            half a frame shift of the front end if None.
        frame: the sensor's axes: one of FRAMES, or nine numbers, the row-major rotation from them
            to body axes (x forward, y left, z up); body axes if None. IMU only.
        rate_hz: sample rate of raw audio whose messages do not tell it; rate of pictures whose
            names are no times.
        format: sample or pixel format where the recording tells none or a wrong one ("S16LE",
            "16UC1", …).
        channels: number of channels of raw audio whose messages do not tell it.
        scale: unit per count of integer pixels (depth: metres, thermal: kelvin).
        offset: thermal: kelvin at count 0.
        unit: unit of the stream's values where it is not the convention's: of an IMU "g", "deg/s",
            "g;deg/s", …; of depth "mm", "m", …; of thermal "celsius", ….
        focal_px: focal length along x in pixels, where the recording has no camera info.
        policy: what becomes of windows that the engines have no time for, live: "latest" keeps the
            newest one, "queue" the newest `queue` ones, "block" keeps all and leaves the samples
            in the stream's ring until that runs over; "latest" if None. A recording waits instead.
        queue: windows that wait at most, of the policies "queue" and "block".
        priority: streams with a higher one are encoded first, live.
        deadline_s: a window that has waited longer is dropped, live; never if None.
    """

    modality: Modality
    frame_pooling_s: Annotated[float, Meta(gt=0, le=60)] | None = None
    hop_s: Hop | None = None
    trigger: Trigger | None = None
    lateness_s: Annotated[float, Meta(ge=0, le=60)] = 0.0
    min_coverage: Annotated[float, Meta(gt=0, le=1)] | None = None
    max_age_s: Seconds | None = None
    jitter_s: Seconds | None = None
    frame: str | tuple[float, ...] | None = None
    rate_hz: Positive | None = None
    format: str | None = None
    channels: Annotated[int, Meta(ge=1, le=64)] | None = None
    scale: Positive | None = None
    offset: float | None = None
    unit: str | None = None
    focal_px: Positive | None = None
    policy: Policy | None = None
    queue: Annotated[int, Meta(ge=1, le=1000)] = 4
    priority: Annotated[int, Meta(ge=-100, le=100)] = 0
    deadline_s: Seconds | None = None

    def __post_init__(self) -> None:
        """Reject values that no type can express and options of other senses."""
        for option, modalities in (_OPTIONS_OF_SENSES | _POOLED).items():
            if getattr(self, option) is not None and self.modality not in modalities:
                raise ConfigError(
                    f"{_short_name(option)}={_as_option(getattr(self, option))} does not apply to "
                    f"{self.modality.value}; it is an option of "
                    f"{', '.join(modality.value for modality in modalities)} streams"
                )
        _check_frame(self.frame)
        if self.modality is Modality.IMU:
            imu_factors(self.unit)

    @property
    def rotation(self) -> tuple[float, ...] | None:
        """`frame` as nine numbers, row-major from the sensor's axes to body axes; None if none."""
        return FRAMES[self.frame] if isinstance(self.frame, str) else self.frame


def options_of(config: StreamConfig) -> dict[str, str]:
    """The options that tell how a stream is to be read, those that are set, as text."""
    values = {name: getattr(config, name) for name in _OPTIONS_OF_SENSES}
    return {
        _short_name(name): _as_option(value) for name, value in values.items() if value is not None
    }


def _check_frame(frame: str | tuple[float, ...] | None) -> None:
    known = frame in FRAMES if isinstance(frame, str) else frame is None or len(frame) == 9
    if not known:
        raise ConfigError(
            f"frame={_as_option(frame)}: expected one of {', '.join(FRAMES)}, or nine numbers "
            "joined by ';', the rotation from the sensor's axes to body axes row by row"
        )


def _as_option(value: object) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, tuple):
        return ";".join(map(_as_option, value))
    return f"{value:.12g}" if isinstance(value, float) else f"{value}"


class PipelineConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole run: which streams, in what order, on which backend.

    Attributes:
        streams: stream name (topic) to its configuration; streams not named are mapped by type.
        hop_s: hop of every stream that does not set its own; the manifest's if None.
        backend: "auto" picks the fastest usable engine backend and says why. This and `threads`
            are for whoever loads the bundle; a Pipeline runs on the bundle it is given.
        threads: threads one run of an engine may use on a CPU; if None, the cores that this process
            may use but one.
        order: feed a recording by "stamp" or as it was received ("log"); None is "log" for our own
            and "stamp" for all others.
        max_batch: windows of one encoder that may share an engine run. More than one are run
            together only where that does not change a byte, which is tried when the run begins.
        batch_wait_s: how long a window waits for others to share its run.
        engine_timeout_s: an engine run that takes longer is given up, and its modality is down
            until the engine has been opened anew.
        source_timeout_s: a live source that delivers nothing for so long is opened anew.
        ring_s: how much of a live stream may wait for the preprocessing before it is dropped.
        drain_s: how long a run that was stopped may take to encode what it had received.
        calibration: file of `sensebind calibrate` whose numbers are applied; none if None.
    """

    streams: dict[str, StreamConfig] = {}
    hop_s: Hop | None = None
    backend: BackendName = "auto"
    threads: Annotated[int, Meta(ge=1, le=256)] | None = None
    order: Order | None = None
    max_batch: Annotated[int, Meta(ge=1, le=256)] = 1
    batch_wait_s: Annotated[float, Meta(ge=0, le=10)] = 0.0
    engine_timeout_s: Seconds = 60.0
    source_timeout_s: Seconds = 10.0
    ring_s: Annotated[float, Meta(gt=0, le=60)] = 2.0
    drain_s: Seconds = 10.0
    calibration: str | None = None


_EXPECTED = {
    "modality": f"one of {', '.join(modality.value for modality in Modality)}",
    "frame_pooling_s": "seconds above 0, at most 60",
    "hop_s": "seconds from 0.001 to 3600",
    "trigger": f"one of {', '.join(get_args(Trigger))}",
    "lateness_s": "seconds from 0 to 60",
    "min_coverage": "a share above 0, at most 1",
    "max_age_s": "seconds above 0, at most 3600",
    "jitter_s": "seconds above 0, at most 3600",
    "frame": f"one of {', '.join(FRAMES)}, or nine numbers joined by ';'",
    "rate_hz": "a rate above 0 in hertz",
    "format": "the name of a sample or pixel format",
    "channels": "1 to 64",
    "scale": "a number above 0, the unit per count",
    "offset": "a number, kelvin at count 0",
    "unit": "the name of a unit",
    "focal_px": "a number above 0 in pixels",
    "policy": f"one of {', '.join(get_args(Policy))}",
    "queue": "1 to 1000 windows",
    "priority": "a whole number from -100 to 100",
    "deadline_s": "seconds above 0, at most 3600",
}


def stream_config_from_options(stream: str, options: Mapping[str, str]) -> StreamConfig:
    """Build a StreamConfig from text options (`key=value` of the command line).

    The unit at the end of an option's name may be left out: "hop" is "hop_s".

    Raises:
        ConfigError: naming the stream, the option, its value and what was expected.
    """
    values: dict[str, object] = {}
    for given, text in options.items():
        option = _full_name(given)
        if option is None:
            known = ", ".join(map(_short_name, StreamConfig.__struct_fields__))
            raise ConfigError(
                f"unknown option {given!r} for stream {stream!r}; known options: {known}"
            )
        if option in values:
            raise ConfigError(f"stream {stream!r} has the option {given!r} twice; give it once")
        values[option] = text.split(";") if option == "frame" and ";" in text else text
    try:
        return msgspec.convert(values, StreamConfig, strict=False)
    except msgspec.ValidationError as error:
        option = field_at(error)
        value = next(text for given, text in options.items() if _full_name(given) == option)
        raise ConfigError(
            f"stream {stream!r}: {_short_name(option)}={value}: expected {_EXPECTED[option]}"
        ) from None
    except ConfigError as error:  # a check of StreamConfig's own
        raise ConfigError(f"stream {stream!r}: {error}") from None


def _full_name(option: str) -> str | None:
    """The field an option stands for, None if there is none."""
    fields = StreamConfig.__struct_fields__
    return next((name for name in fields if option in (name, _short_name(name))), None)


def _short_name(field: str) -> str:
    """A field's name without its unit."""
    return re.sub("_(s|hz|px)$", "", field)
