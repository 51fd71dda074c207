# SPDX-License-Identifier: Apache-2.0
"""A RealSense camera as a live source (pyrealsense2): depth, colour and motion.

Each sensor delivers by its own callback, not by the pipeline's sets of frames, which repeat some
samples and lose most of the motion. Accelerations are interpolated at the gyroscope's stamps.
Motion comes along the axes of the camera (x right, y down, z forward) and is turned to those of a
body (x forward, y left, z up).
"""

from __future__ import annotations

from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.config import OPTICAL_TO_BODY
from sensebind.errors import SourceError
from sensebind.sources.base import LiveStreamInfo, SourceReport, StreamKind
from sensebind.sources.devices.realsense_profiles import (
    clock_of,
    find_camera,
    librealsense,
    option_of,
    profiles_of,
    serial_of,
)
from sensebind.sources.imu_join import Half, ImuJoiner
from sensebind.types import Frame, FrameBlock, SampleBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensebind.config import StreamConfig
    from sensebind.sources.devices.realsense_profiles import Profile
    from sensebind.types import Block

_NS_PER_MS = 1e6
_TO_BODY = np.array(OPTICAL_TO_BODY).reshape(3, 3)
_HALVES = {"gyro": Half.ROTATION, "accel": Half.ACCELERATION}
_BLOCK_NS = 10_000_000
_MOST_WAITING = 64
_NO_STAMPS = (
    "the driver passes on no stamps of the device: pictures are placed by their arrival, motion is "
    "not used; install librealsense's kernel modules, or build it with its own USB driver"
)


class RealSense:
    """One camera.

    Attributes:
        name: of the source.
        report: frames and samples delivered, and those that were lost.
    """

    def __init__(
        self,
        serial: str | None = None,
        *,
        prefix: str = "/realsense",
        context: Callable[[], Any] | None = None,
    ) -> None:
        """Describe what is wanted; nothing is opened.

        Args:
            serial: its serial number; the first camera there is if None.
            prefix: its streams are named PREFIX/depth, PREFIX/color and PREFIX/imu.
            context: makes librealsense's context, which knows the cameras; its own if None.
        """
        self.name = "RealSense" if serial is None else f"RealSense {serial}"
        self.report = SourceReport()
        self._serial = serial
        self._prefix = prefix
        self._make_context = context
        self._context: Any = None
        self._sensors: list[Any] = []
        self._motion: _Motion | None = None

    def streams(self) -> list[LiveStreamInfo]:
        """Its streams: depth, colour and IMU, those it has.

        Raises:
            SourceError: the camera is not there, naming those that are.
            MissingExtraError: pyrealsense2 is not installed.
        """
        device = self._find()
        sensors, serial = device.query_sensors(), serial_of(device)
        name = device.get_info(librealsense().camera_info.name)
        return [
            LiveStreamInfo(
                name=stream,
                kind=StreamKind.SAMPLES if stream == self._stream("imu") else StreamKind.FRAMES,
                message_type=f"{name} {profile.kind}",
                encoding=profile.encoding,
                clock=clock_of(serial, sensors[profile.sensor])[0],
                rate_hz=float(profile.rate_hz),
                serial=serial,
            )
            for stream, profile in self._offered(profiles_of(device)).items()
        ]

    def start(
        self,
        selected: dict[str, StreamConfig],
        deliver: Callable[[Block], None],
        fail: Callable[[Exception], None],
    ) -> None:
        """Open the camera; see `LiveSource.start`."""
        device = self._find()
        profiles = profiles_of(device)
        wanted = [p for s, p in self._offered(profiles).items() if s in selected]
        if any(profile.kind == "gyro" for profile in wanted):
            wanted.append(profiles["accel"])
            self._motion = _Motion(self._stream("imu"), self.report, deliver)

        def changed(change: Any) -> None:  # noqa: ANN401 - rs.event_information
            if change.was_removed(device):
                fail(SourceError(f"the {self.name} was disconnected"))

        self._context.set_devices_changed_callback(changed)
        try:
            for index, sensor in enumerate(device.query_sensors()):
                mine = [profile for profile in wanted if profile.sensor == index]
                if mine:
                    self._open(sensor, mine, serial_of(device), deliver)
        except RuntimeError as error:
            raise SourceError(
                f"the {self.name} cannot be opened ({error}): close the program that uses it "
                "(realsense-viewer?), connect it to a USB 3 port, and let this user open it by "
                "librealsense's udev rules (99-realsense-libusb.rules)"
            ) from None

    def stop(self) -> None:
        """Close the camera; see `LiveSource.stop`."""
        sensors, self._sensors = self._sensors, []
        for sensor in sensors:
            for end in (sensor.stop, sensor.close):
                with suppress(RuntimeError):  # it was unplugged, or had not begun
                    end()
        motion, self._motion = self._motion, None
        if motion is not None:
            motion.end()
        self._context = None

    def _find(self) -> Any:  # noqa: ANN401 - rs.device
        if self._context is None:
            self._context = (self._make_context or librealsense().context)()
        return find_camera(self._context, self._serial)

    def _stream(self, kind: str) -> str:
        return f"{self._prefix}/{kind}"

    def _offered(self, profiles: dict[str, Profile]) -> dict[str, Profile]:
        """The streams by name; the IMU is told by its gyroscope, at whose stamps it is joined."""
        offered = {self._stream(k): profiles[k] for k in ("depth", "color") if k in profiles}
        if {"accel", "gyro"} <= profiles.keys():
            offered[self._stream("imu")] = profiles["gyro"]
        return offered

    def _open(
        self,
        sensor: Any,  # noqa: ANN401 - rs.sensor
        profiles: list[Profile],
        serial: str,
        deliver: Callable[[Block], None],
    ) -> None:
        """Open one sensor and have its frames passed on."""
        domain = clock_of(serial, sensor)[1]
        takers: dict[str, _Pictures | _Motion] = {}
        for profile in profiles:
            if profile.kind in _HALVES:
                assert self._motion is not None
                takers[profile.kind] = self._motion
            else:
                stream = self._stream(profile.kind)
                takers[profile.kind] = _Pictures(stream, sensor, profile, self.report, deliver)
        stamps = {
            kind: _Stamps(domain, taker.stream, self.report) for kind, taker in takers.items()
        }

        def take(frame: Any) -> None:  # noqa: ANN401 - rs.frame
            kind = frame.get_profile().stream_type().name
            if kind in takers:
                takers[kind].take(kind, frame, stamps[kind])

        sensor.open([profile.vendor for profile in profiles])
        self._sensors.append(sensor)
        sensor.start(take)


class _Stamps:
    """The stamps and numbers of the frames of one stream of the device."""

    def __init__(self, domain: Any, stream: str, report: SourceReport) -> None:  # noqa: ANN401
        self._domain = domain
        self._stream = stream
        self._report = report
        self._number: int | None = None

    def of(self, frame: Any) -> int | None:  # noqa: ANN401 - rs.frame
        """A frame's stamp; 0 if it was stamped by its arrival, None if by another clock."""
        self._count_lost(int(frame.get_frame_number()))
        domain = frame.get_frame_timestamp_domain()
        if domain == self._domain:
            return round(float(frame.get_timestamp()) * _NS_PER_MS)
        if domain == librealsense().timestamp_domain.system_time:
            self._report.note(f"{self._stream}: {_NO_STAMPS}")
            return 0
        self._report.skip(self._stream, f"stamped by the {domain.name.replace('_', ' ')}")
        return None

    def _count_lost(self, number: int) -> None:
        if self._number is not None and number > self._number + 1:
            self._report.skip(self._stream, "lost in the driver", number - self._number - 1)
        self._number = number


class _Pictures:
    """From frames of depth or colour to blocks."""

    def __init__(
        self,
        stream: str,
        sensor: Any,  # noqa: ANN401 - rs.sensor
        profile: Profile,
        report: SourceReport,
        deliver: Callable[[Block], None],
    ) -> None:
        self.stream = stream
        self._encoding = profile.encoding
        self._scale = option_of(sensor, "depth_units") if profile.kind == "depth" else None
        self._focal_px = float(profile.vendor.as_video_stream_profile().get_intrinsics().fx)
        self._report = report
        self._deliver = deliver

    def take(self, _kind: str, frame: Any, stamps: _Stamps) -> None:  # noqa: ANN401 - rs.frame
        stamp_ns = stamps.of(frame)
        if stamp_ns is None:
            return
        picture = frame.as_video_frame()
        pixels = np.asanyarray(picture.get_data())
        data = Frame(
            pixels.data.cast("B"),
            self._encoding,
            picture.get_width(),
            picture.get_height(),
            pixels.strides[0],
            scale=self._scale,
            focal_px=self._focal_px,
        )
        self._report.count(self.stream)
        self._deliver(FrameBlock(self.stream, stamp_ns, data))


class _Motion:
    """From accelerations and angular velocities, in threads of their own, to joint samples.

    They are joined about 10 ms at a time, which is cheaper than one by one.
    """

    def __init__(self, stream: str, report: SourceReport, deliver: Callable[[Block], None]) -> None:
        self.stream = stream
        self._report = report
        self._deliver = deliver
        self._joiner = ImuJoiner()
        self._lock = Lock()
        self._waiting: dict[str, list[tuple[int, tuple[float, float, float]]]] = {
            kind: [] for kind in _HALVES
        }

    def take(self, kind: str, frame: Any, stamps: _Stamps) -> None:  # noqa: ANN401 - rs.frame
        stamp_ns = stamps.of(frame)
        if not stamp_ns:
            if stamp_ns == 0:
                self._report.skip(self.stream, "without a stamp of the device")
            return
        reading = frame.as_motion_frame().get_motion_data()
        with self._lock:
            mine = self._waiting[kind]
            mine.append((stamp_ns, (reading.x, reading.y, reading.z)))
            # Accelerations decide: angular velocities wait for the next one anyway.
            due = kind == "accel" and abs(stamp_ns - mine[0][0]) >= _BLOCK_NS
            if due or len(mine) >= _MOST_WAITING:
                self._join()

    def end(self) -> None:
        """Join the rest, and count what could not be joined."""
        with self._lock:
            self._join()
            self._joiner.flush()
            for cause, count in self._joiner.lost.items():
                self._report.skip(self.stream, cause, count)

    def _join(self) -> None:
        for kind, waiting in self._waiting.items():
            if not waiting:
                continue
            stamps_ns = np.array([stamp_ns for stamp_ns, _ in waiting], np.int64)
            values = np.array([reading for _, reading in waiting]) @ _TO_BODY.T
            waiting.clear()
            joined_ns, joined = self._joiner.push(_HALVES[kind], stamps_ns, values)
            if len(joined_ns):
                self._report.count(self.stream, len(joined_ns))
                self._deliver(SampleBlock(self.stream, joined_ns, joined))
