# SPDX-License-Identifier: Apache-2.0
"""The bytes of the ROS 2 messages a recording holds.

Little-endian CDR: every number is aligned to its size, counted from behind the four bytes of
encapsulation; texts end with a zero that is counted.
"""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING

import numpy as np

from sensebind.grid import NS_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.types import Frame

_ENCAPSULATION = b"\x00\x01\x00\x00"
_NO_ESTIMATE = -1.0  # first covariance element of a quantity the message lacks (REP 145)

LATEST_NS = (1 << 31) * NS_PER_S
"""builtin_interfaces/Time counts seconds as int32: the first stamp it cannot express."""

COMPRESSED = ("jpeg", "png")
"""Encodings of frames that are files of pictures."""

IMU_FRAME = "imu"
"""Frame id of IMU readings; their axes are those the stream's configuration tells."""


class _Message:
    """A message that grows field by field."""

    def __init__(self, stamp_ns: int | None = None, frame_id: str = "") -> None:
        """Begin with a std_msgs/Header, or without one."""
        self.octets = bytearray(_ENCAPSULATION)
        if stamp_ns is not None:
            self.octets += pack("<iI", *divmod(stamp_ns, NS_PER_S))
            self.text(frame_id)

    def align(self, size: int) -> None:
        self.octets += bytes(-(len(self.octets) - len(_ENCAPSULATION)) % size)

    def number(self, code: str, value: float) -> None:
        number = pack("<" + code, value)
        self.align(len(number))
        self.octets += number

    def text(self, text: str) -> None:
        octets = text.encode()
        self.number("I", len(octets) + 1)
        self.octets += octets + b"\0"


def can_express(stamp_ns: int) -> bool:
    """Whether a message may have this stamp."""
    return 0 <= stamp_ns < LATEST_NS


def text_message(text: str) -> bytes:
    """A std_msgs/String."""
    message = _Message()
    message.text(text)
    return bytes(message.octets)


def image_head(stamp_ns: int, frame: Frame, size: int) -> bytes:
    """A sensor_msgs/Image up to its `size` bytes of pixels."""
    message = _Message(stamp_ns)
    message.number("I", frame.height)
    message.number("I", frame.width)
    message.text(frame.encoding)
    message.number("B", frame.big_endian)
    message.number("I", frame.step)
    message.number("I", size)
    return bytes(message.octets)


def compressed_image_head(stamp_ns: int, frame: Frame, size: int) -> bytes:
    """A sensor_msgs/CompressedImage up to its picture file of `size` bytes."""
    message = _Message(stamp_ns)
    message.text(frame.encoding)
    message.number("I", size)
    return bytes(message.octets)


def audio_head(
    stamp_ns: int, rates_hz: tuple[float, float], channels: int, first: int, count: int
) -> bytes:
    """A sensebind_msgs/AudioBlock up to its samples.

    Args:
        stamp_ns: of the first sample.
        rates_hz: nominal rate and that by the clock of the stamps.
        channels: of each sample.
        first: index of the first sample.
        count: samples of all channels together.
    """
    message = _Message(stamp_ns)
    message.number("d", rates_hz[0])
    message.number("d", rates_hz[1])
    message.number("I", channels)
    message.number("Q", first)
    message.number("I", count)
    return bytes(message.octets)


IMU_HEAD = bytes(_Message(0, IMU_FRAME).octets)
_IMU_PADDING = -(len(IMU_HEAD) - len(_ENCAPSULATION)) % 8

IMU_FIELDS = [
    ("encapsulation", "u1", 4),
    ("seconds", "<i4"),
    ("nanoseconds", "<u4"),
    ("frame_id", "u1", len(IMU_HEAD) - 12 + _IMU_PADDING),
    ("orientation", "<f8", 4),
    ("orientation_covariance", "<f8", 9),
    ("rotation", "<f8", 3),
    ("rotation_covariance", "<f8", 9),
    ("acceleration", "<f8", 3),
    ("acceleration_covariance", "<f8", 9),
]
"""Fields of a sensor_msgs/Imu whose frame id is IMU_FRAME, for a NumPy record type."""


def imu_template() -> np.void:
    """An Imu message without stamp and readings, as a record of IMU_FIELDS.

    There is no orientation, and the covariances of the rest are not known, which is 0.
    """
    record = np.zeros(1, IMU_FIELDS)
    octets = record.view(np.uint8)
    octets[: len(IMU_HEAD)] = np.frombuffer(IMU_HEAD, np.uint8)
    record["orientation"][0, 3] = 1.0
    record["orientation_covariance"][0, 0] = _NO_ESTIMATE
    template: np.void = record[0]
    return template


def expressible(stamps_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which stamps int64 (n,) messages may have, bool (n,); see `can_express`."""
    return (stamps_ns >= 0) & (stamps_ns < LATEST_NS)


def put_readings(
    records: NDArray[np.void], stamps_ns: NDArray[np.int64], values: NDArray[np.float64]
) -> None:
    """Write IMU readings into records (n,) made of the template, whose type has IMU_FIELDS.

    Args:
        records: are changed.
        stamps_ns: int64 (n,), expressible ones.
        values: float64 (n, 6), accelerations in m/s² and angular velocities in rad/s.
    """
    records["seconds"], records["nanoseconds"] = np.divmod(stamps_ns, NS_PER_S)
    records["acceleration"] = values[:, :3]
    records["rotation"] = values[:, 3:]
