# SPDX-License-Identifier: Apache-2.0
"""Which message types are senses, and how one message of each becomes a stamp and a content."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sensebind.sources.base import StreamKind
from sensebind.sources.imu_pairs import ACCELERATION, ANGULAR_VELOCITY, VECTOR, half_by_name
from sensebind.sources.messages.cdr import (
    NOT_PROVIDED,
    read_compressed_image,
    read_foxglove_compressed,
    read_foxglove_image,
    read_image,
    read_imu,
    read_imu_fields,
)
from sensebind.sources.messages.cdr_audio import (
    read_audio_block,
    read_bare_audio,
    read_raw_audio,
    read_stamped_audio,
)
from sensebind.sources.messages.cdr_motion import (
    read_angular,
    read_imu_acceleration,
    read_imu_rotation,
    read_linear,
    read_vector,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sensebind.sources.messages.cdr import Row
    from sensebind.sources.messages.pcm import Sound
    from sensebind.sources.messages.wire import Wire
    from sensebind.types import Frame

    Content = Row | Frame | Sound
    Reader = Callable[[bytes | memoryview, Wire], tuple[int, Content]]

WIRES: dict[str, Literal["cdr", "ros1"]] = {"cdr": "cdr", "ros1": "ros1"}
"""Serialization formats that are read, by the name a recording gives them."""

RECORD_WIRES = ("cdr", "ros1", "json", "protobuf")
"""Serialization formats of messages whose senses are found by their fields."""

AUDIO_INFO = "audio_common_msgs/msg/AudioInfo"

_KNOWN_PACKAGES = frozenset({"foxglove", "foxglove_msgs", "sensor_msgs", "sensebind_msgs"})
_VIDEO_TYPES = frozenset({"CompressedVideo", "FFMPEGPacket", "H264Packet"})


@dataclass(frozen=True, slots=True)
class Sense:
    """A message type that carries a sense.

    Attributes:
        kind: how its streams are stamped.
        read: serialized bytes to header stamp (ns, 0 if none) and content.
        stamped: whether messages have a header; without one the receive time is the stamp.
        halves: readers of its accelerations and its angular velocities alone, three numbers each;
            None where it has none.
        on_request: why its streams are not taken by themselves; "" if they are.
    """

    kind: StreamKind
    read: Reader
    stamped: bool = True
    halves: tuple[Reader | None, Reader | None] = (None, None)
    on_request: str = ""


_SAMPLES, _FRAMES, _UNIFORM = StreamKind.SAMPLES, StreamKind.FRAMES, StreamKind.UNIFORM

SENSES: dict[str, Sense] = {
    "sensor_msgs/msg/Imu": Sense(
        _SAMPLES, read_imu, halves=(read_imu_acceleration, read_imu_rotation)
    ),
    "geometry_msgs/msg/Vector3Stamped": Sense(
        _SAMPLES, read_vector, halves=(read_vector, read_vector)
    ),
    "geometry_msgs/msg/AccelStamped": Sense(_SAMPLES, read_linear, halves=(read_linear, None)),
    "geometry_msgs/msg/TwistStamped": Sense(_SAMPLES, read_angular, halves=(None, read_angular)),
    "sensor_msgs/msg/Image": Sense(_FRAMES, read_image),
    "sensor_msgs/msg/CompressedImage": Sense(_FRAMES, read_compressed_image),
    "foxglove_msgs/msg/RawImage": Sense(_FRAMES, read_foxglove_image),
    "foxglove_msgs/msg/CompressedImage": Sense(_FRAMES, read_foxglove_compressed),
    "audio_common_msgs/msg/AudioData": Sense(_UNIFORM, read_bare_audio, stamped=False),
    "audio_common_msgs/msg/AudioDataStamped": Sense(_UNIFORM, read_stamped_audio),
    "foxglove_msgs/msg/RawAudio": Sense(_UNIFORM, read_raw_audio),
    "sensebind_msgs/msg/AudioBlock": Sense(_UNIFORM, read_audio_block),
}


def full_type_name(name: str) -> str:
    """The type name with its middle part: "sensor_msgs/Imu" is "sensor_msgs/msg/Imu"."""
    package, _, rest = name.partition("/")
    return name if not rest or "/" in rest else f"{package}/msg/{rest}"


def is_known_package(message_type: str) -> bool:
    """Whether a type is one of the packages whose types mean what their fields are called."""
    return re.split("[./]", message_type)[0] in _KNOWN_PACKAGES


def refusal(message_type: str) -> str:
    """Why messages of a type are refused though they carry a sense; "" if they are not."""
    if re.split("[./]", message_type)[-1] not in _VIDEO_TYPES:
        return ""
    return (
        f"{message_type} is coded video, which is not decoded; write the messages' data to a file "
        "and make pictures of it with: ffmpeg -i video.h264 pictures/%06d.jpg"
    )


def imu_half(name: str, messages: Iterable[bytes | memoryview], wire: Wire) -> str:
    """Which half of an IMU the messages of a sensor_msgs/Imu stream carry, "" for both.

    A quantity the driver lacks has -1 in its covariance (REP 145). Drivers of split IMUs often
    leave that out; then it is 0 in all messages, and the stream's name speaks of the other one.
    (A simulated robot at rest has angular velocities of exactly 0, an IMU no acceleration of 0.)

    Raises:
        DecodeError: if a message cannot be read.
    """
    fields = [read_imu_fields(message, wire)[1] for message in messages]
    if not fields:
        return ""
    if all(gyro == NOT_PROVIDED for _, _, _, gyro, *_ in fields):
        return ACCELERATION
    if all(values[7] == NOT_PROVIDED for values in fields):
        return ANGULAR_VELOCITY
    no_rotation = not any(any(values[:3]) for values in fields)
    no_acceleration = not any(any(values[4:7]) for values in fields)
    if no_acceleration and (not no_rotation or half_by_name(name) == ANGULAR_VELOCITY):
        return ANGULAR_VELOCITY
    return ACCELERATION if no_rotation and half_by_name(name) == ACCELERATION else ""


def samples_encoding(
    sense: Sense, name: str, messages: Sequence[bytes | memoryview], wire: Wire
) -> str:
    """What a stream of samples holds: "" for a whole IMU, a half of one, or vectors.

    Raises:
        DecodeError: if a message cannot be read.
    """
    if sense.read is read_imu:
        return imu_half(name, messages, wire)
    if sense.halves == (None, None):
        return ""
    return half_by_name(name) or VECTOR


def frame_encoding(frame: Frame) -> str:
    """The frame's encoding, with 16-bit grey PNG files told apart as "png16"."""
    depth_and_colour = bytes(frame.data[24:26])  # bit depth 16, colour type 0 in the IHDR chunk
    is_png16 = frame.encoding == "png" and depth_and_colour == b"\x10\x00"
    return "png16" if is_png16 else frame.encoding
