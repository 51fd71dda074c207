# SPDX-License-Identifier: Apache-2.0
"""Views of sound messages: audio_common_msgs, foxglove_msgs and sensebind_msgs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.sources.messages.cdr import read_header, read_time
from sensebind.sources.messages.pcm import AudioFormat, AudioInfo, Sound, pcm_format
from sensebind.sources.messages.wire import Cursor, DecodeError

if TYPE_CHECKING:
    from sensebind.sources.messages.wire import Wire

_MOST_CHANNELS = 1024


def read_bare_audio(data: bytes | memoryview, wire: Wire) -> tuple[int, Sound]:
    """Stamp 0 and sound of an audio_common_msgs/AudioData message."""
    cursor = Cursor(data, wire)
    octets = cursor.octets()
    cursor.finish()
    return 0, Sound(octets)


def read_stamped_audio(data: bytes | memoryview, wire: Wire) -> tuple[int, Sound]:
    """Stamp in ns and sound of an audio_common_msgs/AudioDataStamped message."""
    cursor = Cursor(data, wire)
    stamp_ns = read_header(cursor, wire)
    octets = cursor.octets()
    cursor.finish()
    return stamp_ns, Sound(octets)


def read_raw_audio(data: bytes | memoryview, wire: Wire) -> tuple[int, Sound]:
    """Stamp in ns and sound of a foxglove_msgs/RawAudio message."""
    cursor = Cursor(data, wire)
    stamp_ns = read_time(cursor)
    octets = cursor.octets()
    name, rate_hz, channels = cursor.text(), cursor.uint32(), cursor.uint32()
    cursor.finish()
    return stamp_ns, Sound(octets, pcm_format(rate_hz, channels, name))


def read_audio_block(data: bytes | memoryview, wire: Wire) -> tuple[int, Sound]:
    """Stamp in ns and sound of a sensebind_msgs/AudioBlock message."""
    cursor = Cursor(data, wire)
    stamp_ns = read_header(cursor, wire)
    rate_hz, clock_rate_hz, channels = cursor.float64(), cursor.float64(), cursor.uint32()
    cursor.uint64()  # index of the first sample; stamps tell what is missing
    octets = cursor.sequence(4)
    cursor.finish()
    if not 0 < rate_hz < float("inf") or not 0 < channels <= _MOST_CHANNELS:
        raise DecodeError("audio without rate or channels; give rate= and channels=")
    layout = AudioFormat(rate_hz, channels, "F32LE" if cursor.order == "<" else "F32BE")
    known = 0 < clock_rate_hz < float("inf")
    return stamp_ns, Sound(octets, layout, clock_rate_hz if known else 0.0)


def read_audio_info(data: bytes | memoryview, wire: Wire) -> AudioInfo:
    """Format of an audio topic from an audio_common_msgs/AudioInfo message."""
    cursor = Cursor(data, wire)
    channels, rate_hz, sample_format = cursor.uint8(), cursor.uint32(), cursor.text()
    cursor.uint32()  # bit rate of compressed audio
    coding_format = cursor.text()
    cursor.finish()
    return AudioInfo(channels, rate_hz, sample_format, coding_format)
