# SPDX-License-Identifier: Apache-2.0
"""The one typed configuration behind the command line, ROS parameters and robot.toml."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sensebind.errors import ConfigError
from sensebind.types import Modality

Seconds = Annotated[float, Meta(gt=0, le=3600)]
Positive = Annotated[float, Meta(gt=0)]
Trigger = Literal["grid", "frame"]
Order = Literal["stamp", "log"]
BackendName = Literal["auto", "onnxruntime"]


class StreamConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one stream is windowed and encoded; None takes the bundle's or the source's value.

    Attributes:
        modality: the encoder that reads the stream.
        hop_s: time between windows; the manifest's default if None.
        trigger: "grid" takes the newest frame at each grid instant, "frame" the first frame of
            each grid cell (frame streams only).
        lateness_s: how far behind the newest sample a sample may arrive and still be used.
        min_coverage: least share of a window backed by samples; the manifest's if None.
        max_age_s: oldest frame a grid instant may use; two frame periods if None.
        jitter_s: largest stamp error of a uniform stream before a gap or relock is declared;
            half a frame shift of the front end if None.
        rotation: row-major 3x3 from the sensor's axes to body axes (FLU), nine numbers;
            "optical" is the REP 103 camera optical frame; identity if None.
        rate_hz: sample rate of raw audio whose messages do not tell it.
        format: sample or pixel format where the recording tells none or a wrong one ("S16LE",
            "16UC1", …).
        channels: number of channels of raw audio whose messages do not tell it.
        scale: unit per count of integer pixels (depth: metres, thermal: kelvin).
        offset: thermal: kelvin at count 0.
        unit: unit of the stream's values where it is not the convention's ("g", "deg/s", "g;deg/s",
            "mm", "celsius", …).
        focal_px: focal length along x in pixels, where the recording has no camera info.
    """

    modality: Modality
    hop_s: Seconds | None = None
    trigger: Trigger = "grid"
    lateness_s: Annotated[float, Meta(ge=0, le=60)] = 0.0
    min_coverage: Annotated[float, Meta(gt=0, le=1)] | None = None
    max_age_s: Seconds | None = None
    jitter_s: Seconds | None = None
    rotation: Literal["optical"] | tuple[float, ...] | None = None
    rate_hz: Positive | None = None
    format: str | None = None
    channels: Annotated[int, Meta(ge=1, le=64)] | None = None
    scale: Positive | None = None
    offset: float | None = None
    unit: str | None = None
    focal_px: Positive | None = None

    def __post_init__(self) -> None:
        """Reject values that no type can express."""
        if isinstance(self.rotation, tuple) and len(self.rotation) != 9:
            raise ConfigError(
                f"rotation has {len(self.rotation)} numbers, expected 9 (row-major 3x3); "
                "give nine numbers, 'optical' or leave it out"
            )


class PipelineConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole run: which streams, in what order, on which backend.

    Attributes:
        streams: stream name (topic) to its configuration; streams not named are mapped by type.
        hop_s: hop of every stream that does not set its own; the manifest's if None.
        backend: "auto" picks the fastest usable engine backend and says why. This and `threads`
            are for whoever loads the bundle; a Pipeline runs on the bundle it is given.
        threads: intra-op threads of the CPU backend.
        order: a foreign recording is fed in "stamp" order, our own in "log" order.
    """

    streams: dict[str, StreamConfig] = {}
    hop_s: Seconds | None = None
    backend: BackendName = "auto"
    threads: Annotated[int, Meta(ge=1, le=256)] = 1
    order: Order = "stamp"


def stream_config_from_options(stream: str, options: dict[str, str]) -> StreamConfig:
    """Build a StreamConfig from text options (`key=value` of the command line).

    Raises:
        ConfigError: naming the option, what was expected and the known options.
    """
    known = StreamConfig.__struct_fields__
    for key in options:
        if key not in known:
            raise ConfigError(
                f"unknown option {key!r} for stream {stream!r}; known options: {', '.join(known)}"
            )
    values: dict[str, object] = dict(options)
    rotation = options.get("rotation")
    if rotation is not None and rotation != "optical":
        values["rotation"] = rotation.split(";")
    try:
        return msgspec.convert(values, StreamConfig, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"stream {stream!r}: {error}; {_hint(str(error))}") from None


def _hint(message: str) -> str:
    if "modality" in message:
        return f"modalities are {', '.join(m.value for m in Modality)}"
    return "write options as key=value, for example hop_s=0.5"
