# SPDX-License-Identifier: Apache-2.0
"""Sound in recordings: names of sample formats, PCM bytes as samples, and what is not PCM."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.errors import ConfigError
from sensebind.sources.messages.wire import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from sensebind.config import StreamConfig

NO_FORMAT = "sample rate unknown (no AudioInfo message)"
DEFAULT_FORMAT = "S16LE"
"""Sample format where only the rate is told; audio_capture's and nearly every driver's."""

_PACKED_24_BIT = "3 bytes"


class CodedAudioError(DecodeError):
    """Sound that is not PCM."""


class SampleFormat(NamedTuple):
    """NumPy type of a PCM sample, the value of silence and the distance to full scale."""

    dtype: str
    silence: int
    full_scale: int


SAMPLE_FORMATS = {
    "S8": SampleFormat("i1", 0, 1 << 7),
    "U8": SampleFormat("u1", 1 << 7, 1 << 7),
    "S16LE": SampleFormat("<i2", 0, 1 << 15),
    "S16BE": SampleFormat(">i2", 0, 1 << 15),
    "U16LE": SampleFormat("<u2", 1 << 15, 1 << 15),
    "S24LE": SampleFormat(_PACKED_24_BIT, 0, 1 << 23),
    "S24_32LE": SampleFormat("<i4", 0, 1 << 23),
    "S32LE": SampleFormat("<i4", 0, 1 << 31),
    "S32BE": SampleFormat(">i4", 0, 1 << 31),
    "F32LE": SampleFormat("<f4", 0, 1),
    "F32BE": SampleFormat(">f4", 0, 1),
    "F64LE": SampleFormat("<f8", 0, 1),
}
"""GStreamer's names, as audio_capture publishes them."""

_OTHER_WORDS = {"PCM": "", "UINT": "U", "INT": "S", "FLOAT": "F", "-": "", " ": ""}
_CODECS = {
    "mp3": (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
    "ogg": (b"OggS",),
    "flac": (b"fLaC",),
}


class AudioFormat(NamedTuple):
    """How the bytes of an audio stream are read."""

    rate_hz: float
    channels: int
    sample_format: str

    def __str__(self) -> str:
        channels = "1 channel" if self.channels == 1 else f"{self.channels} channels"
        return f"{self.sample_format}, {self.rate_hz:g} Hz, {channels}"


@dataclass(frozen=True, slots=True)
class Sound:
    """The sound of one message, not yet decoded.

    Attributes:
        octets: its samples.
        layout: how they are read; None if the message does not tell.
        clock_rate_hz: rate at which they really came by the clock of the stamps; 0 if unknown.
    """

    octets: memoryview
    layout: AudioFormat | None = None
    clock_rate_hz: float = 0.0


def sample_format(name: str) -> str | None:
    """The name in SAMPLE_FORMATS of a PCM format; None if it is no such format.

    Other writings are understood ("pcm-s16", "int16", "float32"); little-endian if not told.
    """
    known = name.upper().removeprefix("PCM_")
    for old, new in _OTHER_WORDS.items():
        known = known.replace(old, new)
    return next((form for form in (known, f"{known}LE") if form in SAMPLE_FORMATS), None)


def info_topic_of(audio_topic: str, info_topics: Iterable[str]) -> str | None:
    """The AudioInfo topic of an audio topic: the one with the longest common beginning."""
    return max(
        sorted(info_topics), key=lambda name: _common_length(name, audio_topic), default=None
    )


class AudioInfo(NamedTuple):
    """The format fields of audio_common_msgs/AudioInfo."""

    channels: int
    rate_hz: int
    sample_format: str
    coding_format: str


def audio_format(info: AudioInfo) -> AudioFormat:
    """How to read PCM audio described by an AudioInfo message.

    Raises:
        DecodeError: if it is compressed, of an unknown sample format or has no rate.
    """
    coding = info.coding_format.lower()
    if coding not in ("", "wave", "wav", "raw", "pcm"):
        raise CodedAudioError(not_pcm(coding))
    return pcm_format(info.rate_hz, info.channels, info.sample_format)


def pcm_format(rate_hz: float, channels: int, name: str) -> AudioFormat:
    """An AudioFormat of checked parts.

    Raises:
        DecodeError: if the format is not PCM or unknown, or there is no rate.
    """
    known = sample_format(name)
    if known is None:
        if re.search("mp3|opus|ogg|aac|flac|vorbis", name.lower()):
            raise CodedAudioError(not_pcm(name))
        raise DecodeError(
            f"audio samples {name!r}, expected one of {', '.join(SAMPLE_FORMATS)}; give format="
        )
    if not 0 < rate_hz < float("inf") or channels < 1:
        raise DecodeError("audio without rate or channels; give rate= and channels=")
    return AudioFormat(rate_hz, channels, known)


def layout_with_options(told: AudioFormat | None, config: StreamConfig) -> AudioFormat | None:
    """The layout a stream's options ask for; what they leave out is what the recording tells.

    Raises:
        ConfigError: if `format` is no sample format.
    """
    name = told.sample_format if told else DEFAULT_FORMAT
    if config.format is not None:
        known = sample_format(config.format)
        if known is None:
            raise ConfigError(
                f"format={config.format}: expected one of {', '.join(SAMPLE_FORMATS)}"
            )
        name = known
    rate_hz = config.rate_hz or (told.rate_hz if told else None)
    channels = config.channels or (told.channels if told else 1)
    return None if rate_hz is None else AudioFormat(rate_hz, channels, name)


def not_pcm(codec: str) -> str:
    """Say that sound is compressed and how to convert it."""
    return (
        f"audio coded as {codec!r}, expected PCM; write the messages' data to a file and convert "
        f"it with: ffmpeg -i audio.{codec} -c:a pcm_s16le audio.wav"
    )


def codec_of(octets: bytes | memoryview) -> str:
    """The codec that sound begins like, "" if it may be PCM."""
    head = bytes(octets[:4])
    return next((name for name, magics in _CODECS.items() if head.startswith(magics)), "")


def waveform(octets: bytes | memoryview, layout: AudioFormat) -> NDArray[np.float32]:
    """PCM bytes as float32 (n, channels), full scale ±1.

    Raises:
        DecodeError: if there are none, or no whole number of them for every channel.
    """
    dtype, silence, full_scale = SAMPLE_FORMATS[layout.sample_format]
    size = 3 if dtype is _PACKED_24_BIT else np.dtype(dtype).itemsize
    if not len(octets):
        raise DecodeError("no samples")
    if len(octets) % (size * layout.channels):
        raise DecodeError(
            f"no whole number of samples of {layout}; give format= and channels= as they are"
        )
    if dtype is _PACKED_24_BIT:
        samples = _unpacked_24_bit(octets)
    else:
        samples = np.frombuffer(octets, dtype).astype(np.float32)
    if silence:
        samples -= silence
    samples /= full_scale
    return samples.reshape(-1, layout.channels)


def _unpacked_24_bit(octets: bytes | memoryview) -> NDArray[np.float32]:
    """Little-endian 3-byte integers, put into the upper bytes of 32 bits and moved down."""
    wide = np.zeros((len(octets) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(octets, np.uint8).reshape(-1, 3)
    return (wide.view("<i4")[:, 0] >> 8).astype(np.float32)


def _common_length(first: str, second: str) -> int:
    pairs = zip(first, second, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))
