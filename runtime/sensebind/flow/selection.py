# SPDX-License-Identifier: Apache-2.0
"""Which streams of the sources of a run are encoded, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from sensebind.errors import InputError
from sensebind.sources.imu_pairs import halves_of, with_asked_for
from sensebind.sources.mapping import Decision, map_streams
from sensebind.types import Modality

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from typing_extensions import TypeIs

    from sensebind.config import Order, PipelineConfig, StreamConfig
    from sensebind.recording import RecordingMetadata
    from sensebind.sources.base import LiveSource, Source, StreamInfo

    AnySource: TypeAlias = Source | LiveSource

_CAMERAS = (Modality.VISION, Modality.DEPTH, Modality.THERMAL)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is read of one source.

    Attributes:
        source: the source.
        infos: its streams.
        streams: those that are encoded, with every setting that depends on the source decided.
        order: in which a recording is read.
    """

    source: AnySource
    infos: Sequence[StreamInfo]
    streams: dict[str, StreamConfig]
    order: Order


def is_live(source: AnySource) -> TypeIs[LiveSource]:
    """Whether a source delivers when it likes, rather than being read."""
    return hasattr(source, "start")


def select(
    sources: Sequence[AnySource], encoders: Collection[Modality], config: PipelineConfig
) -> tuple[list[Selection], tuple[Decision, ...]]:
    """Map the streams of all sources together: of each modality one is taken by itself.

    Raises:
        InputError: if nothing maps to an encoder, a configured stream is not there, or two sources
            have a stream of the same name.
        SourceError: if a source cannot be opened.
    """
    infos = [source.streams() for source in sources]
    _check_names(sources, infos)
    recordings = [getattr(source, "recorded", None) for source in sources]
    asked: dict[str, StreamConfig] = {}
    for recording in recordings:
        asked |= _recorded(recording, config, encoders)
    mapping = map_streams(
        [i for some in infos for i in some],
        encoders,
        asked | config.streams,
        asked.keys() - config.streams.keys(),
    )
    left = dict(mapping.selected)
    selections = []
    for source, some, recording in zip(sources, infos, recordings, strict=True):
        names = {info.name for info in with_asked_for(some, left)} & set(left)
        streams = {n: _decided(left.pop(n), live=is_live(source)) for n in list(left) if n in names}
        as_received = is_live(source) or recording is not None
        order = config.order or ("log" if as_received else "stamp")
        selections.append(Selection(source, some, streams, order))
    if left:
        raise InputError(
            f"stream {next(iter(left))!r} joins streams of two sources; join those of one"
        )
    return selections, mapping.decisions


def sensor_of(stream: str, infos: Sequence[StreamInfo]) -> tuple[str, float]:
    """Serial number of a stream's sensor, "" if not told, and its nominal rate, 0 if not told.

    Of an IMU joined of two streams, those of its first half.
    """
    known = {info.name: info for info in infos}
    halves = halves_of(stream, known) if stream not in known else None
    info = known.get(stream if halves is None else halves[0])
    return (info.serial, getattr(info, "rate_hz", 0.0)) if info is not None else ("", 0.0)


def _recorded(
    recording: RecordingMetadata | None,
    config: PipelineConfig,
    encoders: Collection[Modality],
) -> Mapping[str, StreamConfig]:
    """How the streams of a recording of ours were windowed, but for a hop asked for now."""
    if recording is None:
        return {}
    streams = {name: stream.config for name, stream in recording.streams.items()}
    return {
        name: msgspec.structs.replace(stream, hop_s=config.hop_s or stream.hop_s)
        for name, stream in streams.items()
        if stream.modality in encoders
    }


def _decided(stream: StreamConfig, *, live: bool) -> StreamConfig:
    """A stream's settings with the trigger that its source brings about."""
    if stream.trigger is not None:
        return stream
    trigger = "frame" if live and stream.modality in _CAMERAS else "grid"
    return msgspec.structs.replace(stream, trigger=trigger)


def _check_names(sources: Sequence[AnySource], infos: Sequence[Sequence[StreamInfo]]) -> None:
    owner: dict[str, str] = {}
    for source, some in zip(sources, infos, strict=True):
        for info in some:
            if info.name in owner:
                raise InputError(
                    f"stream {info.name!r} is offered by {owner[info.name]!r} and by "
                    f"{source.name!r}; give one of them another name"
                )
            owner[info.name] = source.name
