# SPDX-License-Identifier: Apache-2.0
"""Views of messages that carry half of an IMU: accelerations or angular velocities alone."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from sensebind.sources.messages.cdr import read_header, read_imu_fields
from sensebind.sources.messages.wire import Cursor

if TYPE_CHECKING:
    from sensebind.sources.messages.cdr import Row
    from sensebind.sources.messages.wire import Wire

_VECTOR = {order: Struct(order + "3d") for order in "<>"}
_TWO_VECTORS = {order: Struct(order + "6d") for order in "<>"}


def read_imu_acceleration(data: bytes | memoryview, wire: Wire) -> tuple[int, Row]:
    """Stamp in ns and ax ay az of a sensor_msgs/Imu message, whatever it has of rotation."""
    stamp_ns, (_, _, _, _, *acceleration, _) = read_imu_fields(data, wire)
    return stamp_ns, tuple(acceleration)


def read_imu_rotation(data: bytes | memoryview, wire: Wire) -> tuple[int, Row]:
    """Stamp in ns and gx gy gz of a sensor_msgs/Imu message, whatever it has of acceleration."""
    stamp_ns, fields = read_imu_fields(data, wire)
    return stamp_ns, fields[:3]


def read_vector(data: bytes | memoryview, wire: Wire) -> tuple[int, Row]:
    """Stamp in ns and x y z of a geometry_msgs/Vector3Stamped message."""
    cursor = Cursor(data, wire)
    stamp_ns = read_header(cursor, wire)
    vector = cursor.unpack(_VECTOR[cursor.order], 8)
    cursor.finish()
    return stamp_ns, vector


def read_linear(data: bytes | memoryview, wire: Wire) -> tuple[int, Row]:
    """Stamp in ns and linear part of a geometry_msgs AccelStamped or TwistStamped message."""
    stamp_ns, both = _read_two_vectors(data, wire)
    return stamp_ns, both[:3]


def read_angular(data: bytes | memoryview, wire: Wire) -> tuple[int, Row]:
    """Stamp in ns and angular part of a geometry_msgs AccelStamped or TwistStamped message."""
    stamp_ns, both = _read_two_vectors(data, wire)
    return stamp_ns, both[3:]


def _read_two_vectors(data: bytes | memoryview, wire: Wire) -> tuple[int, Row]:
    cursor = Cursor(data, wire)
    stamp_ns = read_header(cursor, wire)
    both = cursor.unpack(_TWO_VECTORS[cursor.order], 8)
    cursor.finish()
    return stamp_ns, both
