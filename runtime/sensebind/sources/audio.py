# SPDX-License-Identifier: Apache-2.0
"""Sound in bags: which AudioInfo goes with an audio topic, and PCM bytes as samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.sources.wire import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from sensebind.sources.cdr import AudioInfo

NO_FORMAT = "sample rate unknown (no AudioInfo message)"

# GStreamer's names, as audio_capture publishes them: NumPy type and full scale
_SAMPLE_FORMATS = {"S16LE": ("<i2", 1 << 15), "S32LE": ("<i4", 1 << 31), "F32LE": ("<f4", 1)}


class AudioFormat(NamedTuple):
    """How the bytes of an audio topic are read."""

    rate_hz: float
    channels: int
    dtype: str
    full_scale: int


def info_topic_of(audio_topic: str, info_topics: Iterable[str]) -> str | None:
    """The AudioInfo topic of an audio topic: the one with the longest common beginning."""
    return max(
        sorted(info_topics), key=lambda name: _common_length(name, audio_topic), default=None
    )


def audio_format(info: AudioInfo) -> AudioFormat:
    """How to read PCM audio described by an AudioInfo message.

    Raises:
        DecodeError: if it is compressed, of an unknown sample format or has no rate.
    """
    if info.coding_format.lower() not in ("", "wave", "raw", "pcm"):
        raise DecodeError(f"audio coded as {info.coding_format!r}, expected wave")
    if info.sample_format not in _SAMPLE_FORMATS:
        known = ", ".join(_SAMPLE_FORMATS)
        raise DecodeError(f"audio samples {info.sample_format!r}, expected one of {known}")
    if not info.rate_hz or not info.channels:
        raise DecodeError("audio without rate or channels")
    return AudioFormat(info.rate_hz, info.channels, *_SAMPLE_FORMATS[info.sample_format])


def waveform(octets: bytes | memoryview, layout: AudioFormat) -> NDArray[np.float32]:
    """PCM bytes as float32 (n, channels), full scale ±1.

    Raises:
        DecodeError: if there are none or the last sample is incomplete.
    """
    if not len(octets) or len(octets) % (np.dtype(layout.dtype).itemsize * layout.channels):
        raise DecodeError("malformed message")
    samples = np.frombuffer(octets, layout.dtype).astype(np.float32)
    samples /= layout.full_scale
    return samples.reshape(-1, layout.channels)


def _common_length(first: str, second: str) -> int:
    pairs = zip(first, second, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))
