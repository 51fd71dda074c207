# SPDX-License-Identifier: Apache-2.0
"""Static transforms between frames, where tf2_ros is installed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rclpy.node import Node


class Frames:
    """Listens to /tf_static (and /tf) by a node."""

    def __init__(self, node: Node) -> None:
        """Begin to listen.

        Raises:
            InputError: if tf2_ros is not installed.
        """
        try:
            self._tf2: Any = import_module("tf2_ros")
        except ImportError:
            raise InputError(
                "target_frame is set, but tf2_ros is not installed where the node runs; install "
                "it (apt: ros-$ROS_DISTRO-tf2-ros-py), or give the rotation by the parameter frame"
            ) from None
        self._buffer = self._tf2.Buffer()
        self._listener = self._tf2.TransformListener(self._buffer, node, spin_thread=False)

    def rotation(self, target: str, source: str) -> NDArray[np.float64] | None:
        """What turns vectors of one frame into another, float64 (3, 3); None while unknown."""
        import rclpy.time

        try:
            found = self._buffer.lookup_transform(target, source, rclpy.time.Time())
        except self._tf2.TransformException:
            return None
        turned = found.transform.rotation
        return rotation_of(turned.x, turned.y, turned.z, turned.w)

    def close(self) -> None:
        """Listen no more."""
        self._listener.unregister()


def rotation_of(x: float, y: float, z: float, w: float) -> NDArray[np.float64]:
    """The rotation matrix (3, 3) of a quaternion, which need not be of length 1.

    Raises:
        InputError: if it is 0.
    """
    length = float(np.sqrt(x * x + y * y + z * z + w * w))
    if not length > 0:
        raise InputError("a transform has a rotation of length 0; correct what publishes it")
    x, y, z, w = x / length, y / length, z / length, w / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
