# SPDX-License-Identifier: Apache-2.0
"""Which message types are senses, and how one message of each becomes a stamp and a content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sensebind.sources.base import StreamKind
from sensebind.sources.cdr import (
    NO_ACCELERATION,
    NO_ANGULAR_VELOCITY,
    Row,
    read_audio,
    read_compressed_image,
    read_image,
    read_imu,
)
from sensebind.sources.wire import DecodeError
from sensebind.types import Frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensebind.sources.wire import Wire

    Content = Row | Frame | memoryview
    Reader = Callable[[bytes | memoryview, Wire], tuple[int, Content]]

WIRES: dict[str, Literal["cdr", "ros1"]] = {"cdr": "cdr", "ros1": "ros1"}
"""Serialization formats that are read, by the name a recording gives them."""

AUDIO_INFO = "audio_common_msgs/msg/AudioInfo"


@dataclass(frozen=True, slots=True)
class Sense:
    """A message type that carries a sense.

    Attributes:
        kind: how its streams are stamped.
        read: serialized bytes to header stamp (ns, 0 if none) and content.
        stamped: whether messages have a header; without one the receive time is the stamp.
    """

    kind: StreamKind
    read: Reader
    stamped: bool = True


def _read_bare_audio(data: bytes | memoryview, wire: Wire) -> tuple[int, memoryview]:
    return read_audio(data, wire, stamped=False)


def _read_stamped_audio(data: bytes | memoryview, wire: Wire) -> tuple[int, memoryview]:
    return read_audio(data, wire, stamped=True)


SENSES: dict[str, Sense] = {
    "sensor_msgs/msg/Imu": Sense(StreamKind.SAMPLES, read_imu),
    "sensor_msgs/msg/Image": Sense(StreamKind.FRAMES, read_image),
    "sensor_msgs/msg/CompressedImage": Sense(StreamKind.FRAMES, read_compressed_image),
    "audio_common_msgs/msg/AudioData": Sense(StreamKind.UNIFORM, _read_bare_audio, stamped=False),
    "audio_common_msgs/msg/AudioDataStamped": Sense(StreamKind.UNIFORM, _read_stamped_audio),
}


def full_type_name(name: str) -> str:
    """The type name with its middle part: "sensor_msgs/Imu" is "sensor_msgs/msg/Imu"."""
    package, _, rest = name.partition("/")
    return name if not rest or "/" in rest else f"{package}/msg/{rest}"


def content_encoding(sense: Sense, data: bytes | memoryview, wire: Wire) -> str:
    """What a first message tells of its stream: pixel encoding, or the half of a split IMU.

    "png16" is a PNG file of 16-bit grey pixels (depth or thermal); "acceleration" and "angular
    velocity" are IMU streams that carry only that.

    Raises:
        DecodeError: if the message cannot be read.
    """
    try:
        _, content = sense.read(data, wire)
    except DecodeError as error:
        half = {NO_ACCELERATION: "angular velocity", NO_ANGULAR_VELOCITY: "acceleration"}
        if str(error) in half:
            return half[str(error)]
        raise
    return frame_encoding(content) if isinstance(content, Frame) else ""


def frame_encoding(frame: Frame) -> str:
    """The frame's encoding, with 16-bit grey PNG files told apart as "png16"."""
    depth_and_colour = bytes(frame.data[24:26])  # bit depth 16, colour type 0 in the IHDR chunk
    is_png16 = frame.encoding == "png" and depth_and_colour == b"\x10\x00"
    return "png16" if is_png16 else frame.encoding
