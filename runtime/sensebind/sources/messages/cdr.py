# SPDX-License-Identifier: Apache-2.0
"""Views of the hot message types: fields and pixels straight from the serialized bytes.

Layouts are those of sensor_msgs and foxglove_msgs; the first are unchanged from ROS 1 to
Kilted but for the sequence number that ROS 1 headers begin with. Every function raises DecodeError,
and nothing else, for bytes that are not such a message; pixels are views, never copies.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from sensebind.grid import NS_PER_S
from sensebind.sources.messages.compressed_depth import depth_frame
from sensebind.sources.messages.wire import Cursor, DecodeError
from sensebind.types import Frame

if TYPE_CHECKING:
    from sensebind.sources.messages.wire import Wire

Row = tuple[float, ...]
"""One IMU reading: ax ay az in m/s², gx gy gz in rad/s."""

NO_ACCELERATION = "no acceleration"
NO_ANGULAR_VELOCITY = "no angular velocity"
NOT_PROVIDED = -1.0  # first covariance element of a quantity the driver lacks (REP 145)

# orientation and its covariance are skipped; of the other covariances only the first is read
_IMU = {order: Struct(order + "104x3dd64x3dd64x") for order in "<>"}
# seconds, nanoseconds, length of the frame id; ROS 1 headers begin with a sequence number
_HEADER = {
    "cdr": {order: Struct(order + "iII") for order in "<>"},
    "ros1": {"<": Struct("<4xIII")},
}
_TIME = {order: Struct(order + "iI") for order in "<>"}
_FILE_MAGIC = ((b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"))


def read_imu(data: bytes | memoryview, wire: Wire) -> tuple[int, Row]:
    """Stamp in ns and reading of a sensor_msgs/Imu message."""
    stamp_ns, (gx, gy, gz, gyro, ax, ay, az, acceleration) = read_imu_fields(data, wire)
    if acceleration == NOT_PROVIDED:
        raise DecodeError(NO_ACCELERATION)
    if gyro == NOT_PROVIDED:
        raise DecodeError(NO_ANGULAR_VELOCITY)
    return stamp_ns, (ax, ay, az, gx, gy, gz)


def read_imu_fields(data: bytes | memoryview, wire: Wire) -> tuple[int, Row]:
    """Stamp in ns and gx gy gz, covariance, ax ay az, covariance of a sensor_msgs/Imu message.

    The covariances are first elements; -1 stands for a quantity the driver lacks.
    """
    cursor = Cursor(data, wire)
    stamp_ns = read_header(cursor, wire)
    fields = cursor.unpack(_IMU[cursor.order], 8)
    cursor.finish()
    return stamp_ns, fields


def read_image(data: bytes | memoryview, wire: Wire) -> tuple[int, Frame]:
    """Stamp in ns and frame of a sensor_msgs/Image message that has all its pixels."""
    stamp_ns, frame = read_image_parts(data, wire)
    _check_pixels(frame)
    return stamp_ns, frame


def read_image_parts(data: bytes | memoryview, wire: Wire) -> tuple[int, Frame]:
    """Stamp in ns and frame of a sensor_msgs/Image message, whatever its pixels are."""
    cursor = Cursor(data, wire)
    stamp_ns = read_header(cursor, wire)
    height, width = cursor.uint32(), cursor.uint32()
    encoding = cursor.text()
    big_endian = bool(cursor.uint8())
    step = cursor.uint32()
    pixels = cursor.octets()
    cursor.finish()
    return stamp_ns, Frame(pixels, encoding, width, height, step, big_endian)


def read_compressed_image(data: bytes | memoryview, wire: Wire) -> tuple[int, Frame]:
    """Stamp in ns and frame of a sensor_msgs/CompressedImage: JPEG, PNG or compressedDepth."""
    stamp_ns, layout, picture = read_compressed_parts(data, wire)
    if "compressedDepth" in layout:
        return stamp_ns, depth_frame(layout, picture)
    return stamp_ns, file_frame(picture)


def read_compressed_parts(data: bytes | memoryview, wire: Wire) -> tuple[int, str, memoryview]:
    """Stamp in ns, format and picture of a sensor_msgs/CompressedImage, whatever they are."""
    cursor = Cursor(data, wire)
    stamp_ns = read_header(cursor, wire)
    layout = cursor.text()
    picture = cursor.octets()
    cursor.finish()
    return stamp_ns, layout, picture


def read_foxglove_image(data: bytes | memoryview, wire: Wire) -> tuple[int, Frame]:
    """Stamp in ns and frame of a foxglove_msgs/RawImage message."""
    cursor = Cursor(data, wire)
    stamp_ns = read_time(cursor)
    cursor.text()  # frame id
    width, height = cursor.uint32(), cursor.uint32()
    encoding, step = cursor.text(), cursor.uint32()
    pixels = cursor.octets()
    cursor.finish()
    return stamp_ns, raw_frame(pixels, encoding, width, height, step)


def read_foxglove_compressed(data: bytes | memoryview, wire: Wire) -> tuple[int, Frame]:
    """Stamp in ns and frame of a foxglove_msgs/CompressedImage message (JPEG or PNG)."""
    cursor = Cursor(data, wire)
    stamp_ns = read_time(cursor)
    cursor.text()  # frame id
    picture = cursor.octets()
    cursor.text()  # format; the file tells it itself
    cursor.finish()
    return stamp_ns, file_frame(picture)


def raw_frame(
    pixels: bytes | memoryview,
    encoding: str,
    width: int,
    height: int,
    step: int,
    big_endian: bool = False,
) -> Frame:
    """The frame of pixel rows.

    Raises:
        DecodeError: if there are fewer than said.
    """
    frame = Frame(pixels, encoding, width, height, step, big_endian)
    _check_pixels(frame)
    return frame


def _check_pixels(frame: Frame) -> None:
    if frame.step * frame.height > len(frame.data):
        raise DecodeError("fewer pixels than step times height")


def file_frame(picture: bytes | memoryview) -> Frame:
    """The frame of a picture file.

    Raises:
        DecodeError: if it is neither JPEG nor PNG.
    """
    encoding = compressed_encoding(picture)
    if not encoding:
        raise DecodeError("neither JPEG nor PNG")
    return Frame(picture, encoding)


def compressed_encoding(picture: bytes | memoryview) -> str:
    """The encoding by the file's first bytes: "jpeg", "png", or "" for anything else."""
    head = bytes(picture[:8])
    return next((name for magic, name in _FILE_MAGIC if head.startswith(magic)), "")


def read_time(cursor: Cursor) -> int:
    """Read a builtin_interfaces/Time and return it in ns."""
    return _stamp_ns(*cursor.unpack(_TIME[cursor.order], 4))


def read_header(cursor: Cursor, wire: Wire) -> int:
    """Read a std_msgs/Header and return its stamp in ns."""
    seconds, nanoseconds, id_length = cursor.unpack(_HEADER[wire][cursor.order], 4)
    cursor.skip(int(id_length))
    return _stamp_ns(seconds, nanoseconds)


def _stamp_ns(seconds: float, nanoseconds: float) -> int:
    if nanoseconds >= NS_PER_S:
        raise DecodeError("malformed message")
    return int(seconds) * NS_PER_S + int(nanoseconds)
