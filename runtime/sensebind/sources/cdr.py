# SPDX-License-Identifier: Apache-2.0
"""Views of the hot message types: fields and pixels straight from the serialized bytes.

Layouts are those of sensor_msgs and audio_common_msgs, unchanged from ROS 1 to Kilted but for the
sequence number that ROS 1 headers begin with. Every function raises DecodeError, and nothing
else, for bytes that are not such a message; pixels are views, never copies.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from sensebind.grid import NS_PER_S
from sensebind.sources.wire import Cursor, DecodeError
from sensebind.types import Frame

if TYPE_CHECKING:
    from sensebind.sources.wire import Wire

Row = tuple[float, ...]
"""One IMU reading: ax ay az in m/s², gx gy gz in rad/s."""

NO_ACCELERATION = "no acceleration"
NO_ANGULAR_VELOCITY = "no angular velocity"
_NOT_PROVIDED = -1.0  # first covariance element of a quantity the driver lacks (REP 145)
_COMPRESSED_DEPTH_HEADER_BYTES = 12  # ConfigHeader of compressed_depth_image_transport

# orientation and its covariance are skipped; of the other covariances only the first is read
_IMU = {order: Struct(order + "104x3dd64x3dd64x") for order in "<>"}
# seconds, nanoseconds, length of the frame id; ROS 1 headers begin with a sequence number
_HEADER = {
    "cdr": {order: Struct(order + "iII") for order in "<>"},
    "ros1": {"<": Struct("<4xIII")},
}
_FILE_MAGIC = ((b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"))


class AudioInfo(NamedTuple):
    """The format fields of audio_common_msgs/AudioInfo."""

    channels: int
    rate_hz: int
    sample_format: str
    coding_format: str


def read_imu(data: bytes | memoryview, wire: Wire) -> tuple[int, Row]:
    """Stamp in ns and reading of a sensor_msgs/Imu message."""
    cursor = Cursor(data, wire)
    stamp_ns = _read_header(cursor, wire)
    gx, gy, gz, gyro, ax, ay, az, acceleration = cursor.unpack(_IMU[cursor.order], 8)
    cursor.finish()
    if acceleration == _NOT_PROVIDED:
        raise DecodeError(NO_ACCELERATION)
    if gyro == _NOT_PROVIDED:
        raise DecodeError(NO_ANGULAR_VELOCITY)
    return stamp_ns, (ax, ay, az, gx, gy, gz)


def read_image(data: bytes | memoryview, wire: Wire) -> tuple[int, Frame]:
    """Stamp in ns and frame of a sensor_msgs/Image message."""
    cursor = Cursor(data, wire)
    stamp_ns = _read_header(cursor, wire)
    height, width = cursor.uint32(), cursor.uint32()
    encoding = cursor.text()
    big_endian = bool(cursor.uint8())
    step = cursor.uint32()
    pixels = cursor.octets()
    cursor.finish()
    if step * height > len(pixels):
        raise DecodeError("fewer pixels than step times height")
    return stamp_ns, Frame(pixels, encoding, width, height, step, big_endian)


def read_compressed_image(data: bytes | memoryview, wire: Wire) -> tuple[int, Frame]:
    """Stamp in ns and frame of a sensor_msgs/CompressedImage message (JPEG or PNG).

    A 16-bit "compressedDepth" picture is given as the PNG file inside it.
    """
    cursor = Cursor(data, wire)
    stamp_ns = _read_header(cursor, wire)
    layout = cursor.text()
    picture = cursor.octets()
    cursor.finish()
    if "compressedDepth" in layout:
        if layout.startswith("32FC1"):
            raise DecodeError("compressedDepth of 32FC1 pixels")
        picture = picture[_COMPRESSED_DEPTH_HEADER_BYTES:]
    encoding = compressed_encoding(picture)
    if not encoding:
        raise DecodeError("neither JPEG nor PNG")
    return stamp_ns, Frame(picture, encoding)


def read_audio(data: bytes | memoryview, wire: Wire, *, stamped: bool) -> tuple[int, memoryview]:
    """Stamp in ns (0 without header) and bytes of an audio_common_msgs AudioData[Stamped]."""
    cursor = Cursor(data, wire)
    stamp_ns = _read_header(cursor, wire) if stamped else 0
    octets = cursor.octets()
    cursor.finish()
    return stamp_ns, octets


def read_audio_info(data: bytes | memoryview, wire: Wire) -> AudioInfo:
    """Format of an audio topic from an audio_common_msgs/AudioInfo message."""
    cursor = Cursor(data, wire)
    channels, rate_hz, sample_format = cursor.uint8(), cursor.uint32(), cursor.text()
    cursor.uint32()  # bit rate of compressed audio
    coding_format = cursor.text()
    cursor.finish()
    return AudioInfo(channels, rate_hz, sample_format, coding_format)


def compressed_encoding(picture: bytes | memoryview) -> str:
    """The encoding by the file's first bytes: "jpeg", "png", or "" for anything else."""
    head = bytes(picture[:8])
    return next((name for magic, name in _FILE_MAGIC if head.startswith(magic)), "")


def _read_header(cursor: Cursor, wire: Wire) -> int:
    """Read a std_msgs/Header and return its stamp in ns."""
    seconds, nanoseconds, id_length = cursor.unpack(_HEADER[wire][cursor.order], 4)
    cursor.skip(int(id_length))
    if nanoseconds >= NS_PER_S:
        raise DecodeError("malformed message")
    return int(seconds) * NS_PER_S + int(nanoseconds)
