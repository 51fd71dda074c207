# SPDX-License-Identifier: Apache-2.0
"""What a recording tells of a camera beside its frames: the depth unit and the focal length.

The focal length is that of the CameraInfo topic beside the frames, where image_transport and the
RealSense recorder put it. The depth unit is an option of the RealSense sensor, a Float32 topic in
ROS 1 bags (librealsense up to 2.57) and a String topic in .db3 files (2.59), both looked at.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.sources.bags.containers import first_messages
from sensebind.sources.messages.senses import full_type_name
from sensebind.sources.messages.wire import Cursor, DecodeError, unpacked_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensebind.sources.bags.containers import Container, Payload, Topic
    from sensebind.sources.messages.wire import Wire
    from sensebind.types import Frame

_REALSENSE_DEPTH = re.compile(r"(/device_\d+/sensor_\d+)/Depth_\d+/image/.*")
_DEPTH_UNIT = ("option/Depth Units/value", "option/Depth_Units/value")
_CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
_FLOAT, _DOUBLE = Struct("<f"), {order: Struct(order + "d") for order in "<>"}


class CameraFacts(NamedTuple):
    """What is known of a camera.

    Attributes:
        scale: metres per count of its depth pixels; None if unknown.
        focal_px: focal length along x in pixels; None if unknown.
        width: of the frames that `focal_px` holds for; 0 if unknown.
    """

    scale: float | None = None
    focal_px: float | None = None
    width: int = 0

    def told_of(self, frame: Frame) -> Frame:
        """The frame with what is known of its camera."""
        scale, focal_px, width = self
        if focal_px is not None and width and frame.width:
            focal_px *= frame.width / width  # the same view in pictures of another size
        if scale is None and focal_px is None:
            return frame
        return replace(frame, scale=scale, focal_px=focal_px)


NO_FACTS = CameraFacts()


class CameraMatrices(NamedTuple):
    """A camera's calibration, as sensor_msgs/CameraInfo tells it.

    Attributes:
        width: of its frames in pixels.
        camera: K, row by row: 9 numbers.
        projection: P, row by row: 12 numbers.
    """

    width: int
    camera: tuple[float, ...]
    projection: tuple[float, ...]


def camera_facts(container: Container, topics: Mapping[str, Topic], stream: str) -> CameraFacts:
    """What a bag tells of the camera of a stream of frames."""
    focal_px, width = _focal_length(container, topics, stream)
    return CameraFacts(_depth_unit(container, topics, stream), focal_px, width)


def read_camera_matrices(data: Payload, wire: Wire) -> CameraMatrices:
    """The calibration in a sensor_msgs/CameraInfo message.

    Raises:
        DecodeError: if it is none, or of a camera that is not calibrated.
    """
    cursor = Cursor(unpacked_message(data), wire)
    for _ in range(3 if wire == "ros1" else 2):  # sequence number, seconds, nanoseconds
        cursor.uint32()
    cursor.text()
    cursor.uint32()  # height
    width = cursor.uint32()
    cursor.text()

    def doubles(count: int) -> tuple[float, ...]:
        return tuple(float(cursor.unpack(_DOUBLE[cursor.order], 8)[0]) for _ in range(count))

    doubles(min(cursor.uint32(), 64))  # distortion
    camera = doubles(9)
    doubles(9)  # rectification
    if not 0 < camera[0] < 1e6:
        raise DecodeError("not calibrated")
    return CameraMatrices(width, camera, doubles(12))


def read_focal_length(data: Payload, wire: Wire) -> tuple[float, int]:
    """Focal length along x in pixels and width of a sensor_msgs/CameraInfo message.

    Raises:
        DecodeError: if it is none, or of a camera that is not calibrated.
    """
    found = read_camera_matrices(data, wire)
    return found.camera[0], found.width


def _focal_length(
    container: Container, topics: Mapping[str, Topic], stream: str
) -> tuple[float | None, int]:
    for name in places_of_camera_info(stream):
        topic = topics.get(name)
        if topic is None or not topic.count or full_type_name(topic.message_type) != _CAMERA_INFO:
            continue
        for message in first_messages(container, name, 1):
            with suppress(DecodeError):
                return read_focal_length(message.data, topic.layout)
    return None, 0


def places_of_camera_info(stream: str) -> Iterator[str]:
    """Beside the frames, beside the raw topic of a compressed one, or RealSense's stream info."""
    parent, _, _ = stream.rpartition("/")
    above, _, _ = parent.rpartition("/")
    yield f"{parent}/camera_info"
    yield f"{above}/camera_info"
    yield f"{above}/info/camera_info"


def _depth_unit(container: Container, topics: Mapping[str, Topic], stream: str) -> float | None:
    match = _REALSENSE_DEPTH.fullmatch(stream)
    if match is None:
        return None
    for name in (f"{match[1]}/{option}" for option in _DEPTH_UNIT):
        for message in first_messages(container, name, 1) if name in topics else ():
            with suppress(DecodeError, ValueError):
                return _plausible_unit(read_number(topics[name], message.data))
    return None


def _plausible_unit(metres: float) -> float:
    if not 0 < metres < 1:
        raise ValueError(metres)
    return metres


def read_number(topic: Topic, data: Payload) -> float:
    """A number from a Float32 message, or from a String message as text.

    Raises:
        DecodeError: if the message is cut short.
        ValueError: if the text is no number.
    """
    cursor = Cursor(data, topic.layout)
    if topic.message_type.endswith("String"):
        return float(cursor.text())
    # the shortest decimal that is this float32: 0.001, not 0.0010000000474974513
    return float(str(np.float32(cursor.unpack(_FLOAT, 4)[0])))
