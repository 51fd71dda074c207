# SPDX-License-Identifier: Apache-2.0
"""librealsense's software camera with a depth, a colour and a motion sensor."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from itertools import cycle
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pyrealsense2 as rs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from sensebind.types import FrameBlock

WIDTH, HEIGHT = 64, 48
ACCEL_HZ, GYRO_HZ = 250, 400
_FOCAL_PX = 60.0


class SoftRealSense:
    """One camera; what is injected is delivered at once, in the caller's thread.

    Attributes:
        device: librealsense's.
        domain: of the stamps.
    """

    def __init__(
        self, serial: str, *, global_time: bool = False, size: tuple[int, int] = (WIDTH, HEIGHT)
    ) -> None:
        self._width = size[0]
        self.device = rs.software_device()
        self.device.register_info(rs.camera_info.name, "Soft camera")
        self.device.register_info(rs.camera_info.serial_number, serial)
        domains = rs.timestamp_domain
        self.domain = domains.global_time if global_time else domains.hardware_clock
        self._depth = self.device.add_sensor("Stereo Module")
        self._colour = self.device.add_sensor("RGB Camera")
        self._motion = self.device.add_sensor("Motion Module")
        self._depth.add_read_only_option(rs.option.depth_units, 0.001)
        for sensor in (self._depth, self._colour, self._motion):
            if global_time:
                sensor.add_read_only_option(rs.option.global_time_enabled, 1.0)
        self._profiles = {
            "depth": self._depth.add_video_stream(_video("depth", 1, "z16", 2, size), True),
            "color": self._colour.add_video_stream(_video("color", 2, "rgb8", 3, size), True),
            "slow accel": self._motion.add_motion_stream(_motion("accel", 3, ACCEL_HZ // 4)),
            "accel": self._motion.add_motion_stream(_motion("accel", 4, ACCEL_HZ)),
            "gyro": self._motion.add_motion_stream(_motion("gyro", 5, GYRO_HZ)),
        }
        self._kept: list[Any] = []  # librealsense does not copy pixels

    def see(
        self,
        depth: NDArray[np.uint16],
        colour: NDArray[np.uint8],
        number: int,
        milliseconds: float,
    ) -> None:
        """Inject a frame of each, (height, width) and (height, width, 3)."""
        for sensor, kind, pixels, size in (
            (self._depth, "depth", depth, 2),
            (self._colour, "color", colour, 3),
        ):
            frame = rs.software_video_frame()
            frame.pixels = pixels
            frame.stride, frame.bpp = self._width * size, size
            frame.profile = self._profiles[kind].as_video_stream_profile()
            self._kept.append(pixels)
            sensor.on_video_frame(self._told(frame, number, milliseconds))

    def accelerate(self, reading: Sequence[float], number: int, milliseconds: float) -> None:
        """Inject an acceleration in m/s², along the camera's axes."""
        self._feel("accel", reading, number, milliseconds)

    def rotate(self, reading: Sequence[float], number: int, milliseconds: float) -> None:
        """Inject an angular velocity in rad/s, along the camera's axes."""
        self._feel("gyro", reading, number, milliseconds)

    def same(self, blocks: Sequence[FrameBlock], pixels: NDArray[Any]) -> bool:
        """Whether the blocks hold these pictures."""
        return [bytes(block.frame.data) for block in blocks] == [each.tobytes() for each in pixels]

    def _feel(self, kind: str, reading: Sequence[float], number: int, milliseconds: float) -> None:
        vector = rs.vector()
        vector.x, vector.y, vector.z = reading
        frame = rs.software_motion_frame()
        frame.data = vector
        frame.profile = self._profiles[kind].as_motion_stream_profile()
        self._motion.on_motion_frame(self._told(frame, number, milliseconds))

    def _told(self, frame: Any, number: int, milliseconds: float) -> Any:
        frame.timestamp, frame.domain, frame.frame_number = milliseconds, self.domain, number
        return frame


@contextmanager
def moving(
    camera: SoftRealSense, pictures: Sequence[tuple[NDArray[np.uint16], NDArray[np.uint8]]]
) -> Iterator[None]:
    """While the block lasts, the camera sees these pictures at 15 Hz, over and over, and turns."""
    ended = Event()

    def move() -> None:
        seen, turned, accelerated = 0, 0, 0
        shown = cycle(pictures)
        begin_s = time.monotonic()
        while not ended.wait(0.02):
            now_s = time.monotonic() - begin_s
            while turned < now_s * GYRO_HZ:
                at_s = turned / GYRO_HZ
                camera.rotate((0.0, 0.3 * math.sin(at_s), 0.1), turned, 1000 * at_s)
                turned += 1
            while accelerated < now_s * ACCEL_HZ:
                at_s = accelerated / ACCEL_HZ
                camera.accelerate((math.sin(9 * at_s), -9.8, 0.5), accelerated, 1000 * at_s)
                accelerated += 1
            while seen < now_s * 15:
                camera.see(*next(shown), seen, 1000 * seen / 15)
                seen += 1

    thread = Thread(target=move)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class SoftContext:
    """What librealsense's context is asked, about these cameras."""

    def __init__(self, cameras: list[SoftRealSense]) -> None:
        self.cameras = cameras
        self._changed: Callable[[Any], object] = lambda _: None

    def query_devices(self) -> list[Any]:
        return [camera.device for camera in self.cameras]

    def set_devices_changed_callback(self, changed: Callable[[Any], object]) -> None:
        self._changed = changed

    def unplug(self, camera: SoftRealSense) -> None:
        """Take a camera away."""
        self.cameras.remove(camera)
        self._changed(_Removed(camera.device))


class _Removed:
    def __init__(self, device: Any) -> None:
        self._device = device

    def was_removed(self, device: Any) -> bool:
        return device is self._device


def _video(kind: str, uid: int, pixel_format: str, depth: int, size: tuple[int, int]) -> Any:
    width, height = size
    intrinsics = rs.intrinsics()
    intrinsics.width, intrinsics.height = width, height
    intrinsics.ppx, intrinsics.ppy = width / 2, height / 2
    intrinsics.fx = intrinsics.fy = _FOCAL_PX * width / WIDTH
    intrinsics.model, intrinsics.coeffs = rs.distortion.none, [0.0] * 5
    stream = rs.video_stream()
    stream.type, stream.index, stream.uid = getattr(rs.stream, kind), 0, uid
    stream.width, stream.height, stream.fps, stream.bpp = width, height, 30, depth
    stream.fmt, stream.intrinsics = getattr(rs.format, pixel_format), intrinsics
    return stream


def _motion(kind: str, uid: int, rate_hz: int) -> Any:
    stream = rs.motion_stream()
    stream.type, stream.index, stream.uid = getattr(rs.stream, kind), 0, uid
    stream.fps, stream.fmt = rate_hz, rs.format.motion_xyz32f
    stream.intrinsics = rs.motion_device_intrinsic()
    return stream
