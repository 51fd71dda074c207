# SPDX-License-Identifier: Apache-2.0
"""PCM formats against their definitions, and sound that is not PCM."""

from __future__ import annotations

from struct import pack

import numpy as np
import pytest

from sensebind.config import stream_config_from_options
from sensebind.errors import ConfigError
from sensebind.sources.messages.pcm import (
    SAMPLE_FORMATS,
    AudioFormat,
    AudioInfo,
    CodedAudioError,
    audio_format,
    codec_of,
    layout_with_options,
    pcm_format,
    sample_format,
    waveform,
)
from sensebind.sources.messages.wire import DecodeError


@pytest.mark.parametrize(
    ("name", "octets", "expected"),
    [
        ("S8", pack("bbb", -128, 0, 64), [-1, 0, 0.5]),
        ("U8", bytes([0, 128, 192]), [-1, 0, 0.5]),
        ("S16LE", pack("<hhh", -32768, 0, 16384), [-1, 0, 0.5]),
        ("S16BE", pack(">hhh", -32768, 0, 16384), [-1, 0, 0.5]),
        ("U16LE", pack("<HHH", 0, 32768, 49152), [-1, 0, 0.5]),
        ("S24LE", bytes([0, 0, 128, 0, 0, 0, 0, 0, 64, 255, 255, 255]),
         [-1, 0, 0.5, -(2**-23)]),
        ("S24_32LE", pack("<iii", -(1 << 23), 0, 1 << 22), [-1, 0, 0.5]),
        ("S32LE", pack("<iii", -(1 << 31), 0, 1 << 30), [-1, 0, 0.5]),
        ("S32BE", pack(">iii", -(1 << 31), 0, 1 << 30), [-1, 0, 0.5]),
        ("F32LE", pack("<fff", -1, 0, 0.5), [-1, 0, 0.5]),
        ("F32BE", pack(">fff", -1, 0, 0.5), [-1, 0, 0.5]),
        ("F64LE", pack("<ddd", -1, 0, 0.5), [-1, 0, 0.5]),
    ],
)  # fmt: skip
def test_every_format(name: str, octets: bytes, expected: list[float]) -> None:
    samples = waveform(octets, AudioFormat(16_000, 1, name))
    assert samples.dtype == np.float32
    assert samples[:, 0].tolist() == expected


def test_the_table_of_formats_is_tested() -> None:
    (mark,) = test_every_format.pytestmark  # type: ignore[attr-defined]
    assert {case[0] for case in mark.args[1]} == set(SAMPLE_FORMATS)


def test_channels_are_interleaved() -> None:
    samples = waveform(pack("<4h", 16384, -16384, 0, -32768), AudioFormat(16_000, 2, "S16LE"))
    assert samples.tolist() == [[0.5, -0.5], [0, -1]]


@pytest.mark.parametrize("name", sorted(SAMPLE_FORMATS))
def test_incomplete_samples_are_a_cause(name: str) -> None:
    layout = AudioFormat(16_000, 2, name)
    with pytest.raises(DecodeError, match="no samples"):
        waveform(b"", layout)
    with pytest.raises(DecodeError, match=f"no whole number of samples of {name}, 16000 Hz, 2 ch"):
        waveform(bytes(25), layout)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("S16LE", "S16LE"),
        ("s16le", "S16LE"),
        ("pcm-s16", "S16LE"),
        ("pcm_s16le", "S16LE"),
        ("int16", "S16LE"),
        ("uint8", "U8"),
        ("float32", "F32LE"),
        ("S16BE", "S16BE"),
        ("mp3", None),
        ("", None),
    ],
)
def test_names_of_formats(name: str, known: str | None) -> None:
    assert sample_format(name) == known


def test_coded_sound_is_refused_with_the_command_that_converts() -> None:
    with pytest.raises(CodedAudioError, match=r"'mp3', expected PCM; .*: ffmpeg -i audio\.mp3 "):
        audio_format(AudioInfo(1, 16_000, "S16LE", "mp3"))
    with pytest.raises(CodedAudioError, match="coded as 'opus'"):
        pcm_format(48_000, 1, "opus")


@pytest.mark.parametrize(
    ("info", "cause"),
    [
        (AudioInfo(1, 16_000, "S20", "wave"), r"audio samples 'S20', expected one of S8, U8, S16L"),
        (AudioInfo(0, 16_000, "S16LE", "wave"), "without rate or channels"),
        (AudioInfo(1, 0, "S16LE", ""), "without rate or channels"),
    ],
)
def test_useless_descriptions_are_a_cause(info: AudioInfo, cause: str) -> None:
    with pytest.raises(DecodeError, match=cause):
        audio_format(info)


@pytest.mark.parametrize(
    ("octets", "codec"),
    [(b"ID3\x04", "mp3"), (b"\xff\xfb\x90\x00", "mp3"), (b"OggS", "ogg"), (b"\x01\x00", "")],
)
def test_codecs_are_told_by_their_first_bytes(octets: bytes, codec: str) -> None:
    assert codec_of(octets) == codec


@pytest.mark.parametrize(
    ("told", "options", "layout"),
    [
        (None, {}, None),
        (None, {"rate": "8000"}, AudioFormat(8_000, 1, "S16LE")),
        (None, {"rate": "8000", "format": "u8", "channels": "2"}, AudioFormat(8_000, 2, "U8")),
        (AudioFormat(1, 2, "U8"), {}, AudioFormat(1, 2, "U8")),
        (AudioFormat(1, 2, "U8"), {"format": "S8"}, AudioFormat(1, 2, "S8")),
    ],
)
def test_options_come_before_what_the_recording_tells(
    told: AudioFormat | None, options: dict[str, str], layout: AudioFormat | None
) -> None:
    config = stream_config_from_options("/a", {"modality": "audio", **options})
    assert layout_with_options(told, config) == layout


def test_an_unknown_format_option() -> None:
    config = stream_config_from_options("/a", {"modality": "audio", "format": "mp3"})
    with pytest.raises(ConfigError, match=r"format=mp3: expected one of S8, U8, S16LE"):
        layout_with_options(None, config)
