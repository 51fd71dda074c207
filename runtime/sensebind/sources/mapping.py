# SPDX-License-Identifier: Apache-2.0
"""Which stream feeds which encoder: by message type, pixel encoding and name, or by request."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensebind.config import StreamConfig, options_of
from sensebind.errors import InputError
from sensebind.sources.base import KIND_OF_SENSE, StreamInfo, StreamKind
from sensebind.sources.imu_pairs import HALVES, JOINED, VECTOR, with_asked_for
from sensebind.sources.session import check_selection
from sensebind.types import Modality
from sensebind.units import imu_factors

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

DEPTH_ENCODINGS = frozenset({"16UC1", "mono16", "32FC1", "png16"})
COLOUR_ENCODINGS = frozenset({"rgb8", "bgr8", "rgba8", "bgra8", "jpeg", "png"})
_COLOUR_BEGINNINGS = ("bayer_", "yuv422", "uyvy", "yuyv")

_AUDIO_OPTIONS = "=audio,rate=16000,format=S16LE,channels=1"
_THERMAL_WORDS = ("thermal", "lwir", "flir")
_STEREO_WORDS = frozenset({"infra", "infrared", "ir", "left", "right"})


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one stream and why.

    Attributes:
        stream: name of the stream.
        modality: what it was taken for; None if it is no sense or its sense cannot be told.
        used: whether it is read.
        reason: why, as a phrase for the user.
        hint: the command-line flag that decides otherwise, "" if none can.
    """

    stream: str
    modality: Modality | None
    used: bool
    reason: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """The streams to read, and the decision on every stream of the source."""

    selected: dict[str, StreamConfig]
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class _Guess:
    """A stream's likely modality; of several streams the one of lowest rank is taken."""

    modality: Modality | None
    reason: str
    rank: int = 0
    only_alone: bool = False


def map_streams(
    infos: Sequence[StreamInfo],
    encoders: Collection[Modality],
    overrides: Mapping[str, StreamConfig],
    recorded: Collection[str] = (),
) -> StreamMapping:
    """Decide on every stream of a source.

    Streams named in `overrides` are used as they say. For each other modality one stream is taken
    by type, encoding and name, if the bundle has its encoder.

    Args:
        infos: the source's streams.
        encoders: modalities the bundle can encode.
        overrides: configurations by stream name.
        recorded: those of them that nobody asked for now: a recording of ours says so.

    Raises:
        SourceError: if an override names a stream that is not there or not a sense.
        InputError: if an override asks for an encoder the bundle lacks or one that does not fit
            the stream, or if no stream maps to an encoder.
    """
    infos = with_asked_for(infos, overrides)
    check_selection(infos, overrides)
    for info in infos:
        if info.name in overrides:
            _check_override(info, overrides[info.name], encoders)
    guesses = {info.name: _guess(info) for info in infos if info.name not in overrides}
    chosen = _choose(guesses, {config.modality for config in overrides.values()})
    decisions = tuple(
        _overridden(info, overrides[info.name], recorded)
        if info.name in overrides
        else _decide(info, guesses, chosen, encoders)
        for info in infos
    )
    selected = {
        info.name: overrides.get(info.name) or _automatic(info, decision.modality)
        for info, decision in zip(infos, decisions, strict=True)
        if decision.used and decision.modality is not None
    }
    if not selected:
        raise InputError(_nothing_maps(decisions, encoders))
    return StreamMapping(selected, decisions)


def _automatic(info: StreamInfo, modality: Modality) -> StreamConfig:
    """Configuration of a stream nobody asked for."""
    return StreamConfig(modality=modality, trigger="frame" if info.stills else None)


def _check_override(info: StreamInfo, config: StreamConfig, encoders: Collection[Modality]) -> None:
    modality = config.modality
    if modality not in encoders:
        raise InputError(
            f"stream {info.name!r} cannot be encoded as {modality}: the bundle has encoders for "
            f"{_listing(encoders)} only; ask for one of these or choose another bundle"
        )
    needed = KIND_OF_SENSE.get(modality)
    if needed is None:
        raise InputError(
            f"stream {info.name!r} cannot be encoded as {modality}: {modality} comes from prompts; "
            f"expected one of {_listing(KIND_OF_SENSE)}"
        )
    if info.kind is not needed:
        raise InputError(
            f"stream {info.name!r} ({info.message_type}) cannot be encoded as {modality}: it has "
            f"{info.kind.value}, expected {needed.value}"
        )
    if info.encoding in (*HALVES, VECTOR):
        raise InputError(
            f"stream {info.name!r} has {_half(info)}, an IMU needs accelerations and angular "
            f"velocities; join two streams: --stream '/accel+/gyro=imu'"
        )
    if needed is StreamKind.UNIFORM and not (info.encoding or config.rate_hz):
        raise InputError(
            f"stream {info.name!r} does not tell its sample rate; give it, for example "
            f"--stream {shlex.quote(info.name + _AUDIO_OPTIONS)}"
        )


def _choose(
    guesses: Mapping[str, _Guess], taken: Collection[Modality]
) -> dict[Modality, str | None]:
    """The stream that stands for each modality that some stream was guessed to be."""
    chosen: dict[Modality, str | None] = dict.fromkeys(taken)
    for modality in {guess.modality for guess in guesses.values()} - {None} - set(taken):
        assert modality is not None
        candidates = _candidates(guesses, modality)
        eligible = [
            name for name in candidates if not guesses[name].only_alone or len(candidates) == 1
        ]
        chosen[modality] = next(iter(eligible), None)
    return chosen


def _candidates(guesses: Mapping[str, _Guess], modality: Modality) -> list[str]:
    """The streams that were guessed to be of a modality, the likeliest first."""
    ranked = [(guess.rank, name) for name, guess in guesses.items() if guess.modality is modality]
    return [name for _, name in sorted(ranked)]


def _overridden(info: StreamInfo, config: StreamConfig, recorded: Collection[str]) -> Decision:
    """The decision on a stream whose configuration is given."""
    if info.name in recorded:
        reason = "as when it was recorded" if info.count else "it was recorded, but nothing came"
        hint = _flag(info.name, config.modality)
        return Decision(info.name, config.modality, used=True, reason=reason, hint=hint)
    return Decision(info.name, config.modality, used=True, reason=_applied(config))


def _applied(config: StreamConfig) -> str:
    """What a stream that was asked for is told to be."""
    options = options_of(config)
    if config.modality is Modality.IMU and config.unit:
        acceleration, rate = imu_factors(config.unit)
        options["unit"] += f" (accelerations times {acceleration:g}, rates times {rate:g})"
    listed = ", ".join(f"{name}={value}" for name, value in options.items())
    return f"asked for, with {listed}" if listed else "asked for"


def _decide(
    info: StreamInfo,
    guesses: Mapping[str, _Guess],
    chosen: Mapping[Modality, str | None],
    encoders: Collection[Modality],
) -> Decision:
    guess = guesses[info.name]
    modality = guess.modality
    if modality is None:
        fitting = (m for m, kind in KIND_OF_SENSE.items() if kind is info.kind)
        fallback = next((m for m in fitting if m in encoders), None)
        flag = _flag(info.name, None if info.encoding in (*HALVES, VECTOR) else fallback)
        if info.kind is StreamKind.UNIFORM and flag and not info.encoding:
            flag = f"--stream {shlex.quote(info.name + _AUDIO_OPTIONS)}"
        return Decision(info.name, None, False, guess.reason, flag)
    if modality not in encoders:
        reason = f"{guess.reason}, but the bundle has no {modality} encoder"
        return Decision(info.name, modality, False, reason)
    winner = chosen[modality]
    if winner == info.name:
        others = [name for name in _candidates(guesses, modality) if name != info.name]
        hint = _flag(others[0], modality) if others else ""
        return Decision(info.name, modality, True, guess.reason, hint)
    if winner is not None:
        reason = f"{guess.reason}; {modality} is taken from {winner!r}"
    elif guess.only_alone:
        reason = f"{guess.reason}; not chosen by itself where there are more cameras"
    else:
        reason = f"{guess.reason}; another stream was asked for as {modality}"
    return Decision(info.name, modality, False, reason, _flag(info.name, modality))


def _guess(info: StreamInfo) -> _Guess:
    """What a stream is, from its type, encoding and name."""
    if info.kind is StreamKind.OTHER:
        return _Guess(None, info.note)
    if info.count == 0:
        return _Guess(None, "it has 0 messages")
    if info.on_request:
        return _Guess(None, info.on_request)
    if info.kind is StreamKind.SAMPLES:
        return _guess_imu(info)
    if info.kind is StreamKind.UNIFORM:
        if not info.encoding:
            return _Guess(None, f"{info.message_type} is audio, but its rate is not told")
        return _Guess(Modality.AUDIO, f"{info.message_type} is audio ({info.encoding})")
    return _guess_frames(info)


def _guess_imu(info: StreamInfo) -> _Guess:
    if info.encoding == JOINED:
        # Interpolated, and so second to an IMU that measures both at once.
        return _Guess(Modality.IMU, "accelerations at the stamps of the angular velocities", rank=1)
    if info.encoding:
        return _Guess(None, f"{info.message_type} of {_half(info)}; an IMU needs both")
    return _Guess(Modality.IMU, f"{info.message_type} is an IMU")


def _half(info: StreamInfo) -> str:
    return "vectors" if info.encoding == VECTOR else f"{info.encoding} only"


def _guess_frames(info: StreamInfo) -> _Guess:
    name, encoding = info.name.lower(), info.encoding
    words = frozenset(re.findall("[a-z]+", name))
    stereo = words & _STEREO_WORDS
    thermal = next((word for word in _THERMAL_WORDS if word in name), "")
    if thermal:
        return _Guess(Modality.THERMAL, f"{thermal!r} in its name")
    if encoding in DEPTH_ENCODINGS and not stereo - {"left", "right"}:
        # Depth aligned to the colour camera is resampled and has holes at its edges.
        aligned = "aligned" in name
        how = "depth by name and encoding" if "depth" in name else "depth by encoding"
        return _Guess(Modality.DEPTH, f"{how} {encoding}", rank=int(aligned))
    if "depth" in name:
        return _Guess(None, f"'depth' in its name, but its pixels are {encoding or 'unknown'}")
    if encoding in COLOUR_ENCODINGS or encoding.startswith(_COLOUR_BEGINNINGS):
        if stereo:
            reason = f"encoding {encoding}, {min(stereo)!r} in its name"
            return _Guess(Modality.VISION, reason, only_alone=True)
        return _Guess(Modality.VISION, f"encoding {encoding}")
    return _Guess(None, f"encoding {encoding or 'unknown'} is not mapped by itself")


def _flag(stream: str, modality: Modality | None) -> str:
    return "" if modality is None else f"--stream {shlex.quote(f'{stream}={modality}')}"


def _listing(encoders: Collection[Modality]) -> str:
    return ", ".join(sorted(str(modality) for modality in encoders)) or "none"


def _nothing_maps(decisions: Sequence[Decision], encoders: Collection[Modality]) -> str:
    if not decisions:
        return "nothing to encode: the recording has no streams (0 messages)"
    lines = [
        f"  {decision.stream}: {decision.reason}"
        + (f" (to use it: {decision.hint})" if decision.hint else "")
        for decision in sorted(decisions, key=lambda each: bool(each.hint))  # these are read last
    ]
    return f"no stream maps to an encoder of the bundle ({_listing(encoders)}):\n" + "\n".join(
        lines
    )
