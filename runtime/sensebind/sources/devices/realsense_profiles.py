# SPDX-License-Identifier: Apache-2.0
"""Which RealSense cameras there are, and which of their many profiles are taken."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from sensebind.errors import MissingExtraError, SourceError

if TYPE_CHECKING:
    from types import ModuleType

_FORMATS = {
    "depth": {"z16": "16UC1"},
    "color": {"rgb8": "rgb8", "bgr8": "bgr8"},
    "accel": {"motion_xyz32f": ""},
    "gyro": {"motion_xyz32f": ""},
}
"""librealsense's formats of its streams that are taken, and the ROS encoding of each."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One stream of a device as it is opened.

    Attributes:
        kind: "depth", "color", "accel" or "gyro".
        sensor: index of its sensor in the device.
        vendor: librealsense's profile.
        encoding: ROS image encoding, "" of motion.
        rate_hz: of its frames or samples.
    """

    kind: str
    sensor: int
    vendor: Any
    encoding: str
    rate_hz: int


def librealsense() -> ModuleType:
    """The pyrealsense2 package.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pyrealsense2
    except ImportError:
        raise MissingExtraError("a RealSense camera", "realsense") from None
    module: ModuleType = pyrealsense2
    return module


def serial_of(device: Any) -> str:  # noqa: ANN401 - rs.device
    """A device's serial number."""
    return str(device.get_info(librealsense().camera_info.serial_number))


def realsense_cameras(context: Any) -> dict[str, str]:  # noqa: ANN401 - rs.context
    """The names of the RealSense cameras there are, by serial number."""
    rs = librealsense()
    return {serial_of(d): str(d.get_info(rs.camera_info.name)) for d in context.query_devices()}


def find_camera(context: Any, serial: str | None) -> Any:  # noqa: ANN401 - rs.device
    """The camera of that serial number, the first one if None.

    Raises:
        SourceError: it is not there, naming those that are.
    """
    for device in context.query_devices():
        if serial in (None, serial_of(device)):
            return device
    known = realsense_cameras(context)
    if not known:
        raise SourceError(
            "there is no RealSense camera; connect one to a USB 3 port, and let this user open it "
            "by librealsense's udev rules (99-realsense-libusb.rules)"
        )
    near = get_close_matches(str(serial), known, n=1, cutoff=0.6)
    guess = f"; did you mean {near[0]!r}?" if near else "."
    listing = "; ".join(f"{number} ({name})" for number, name in known.items())
    raise SourceError(f"there is no RealSense camera {serial!r}{guess} There are {listing}")


def profiles_of(device: Any) -> dict[str, Profile]:  # noqa: ANN401 - rs.device
    """The profile that is taken of each kind of stream that the device has.

    Pictures come as the device has them by default, motion at its highest rate.
    """
    found: dict[str, Profile] = {}
    for index, sensor in enumerate(device.query_sensors()):
        for vendor in sensor.get_stream_profiles():
            kind = vendor.stream_type().name
            encoding = _FORMATS.get(kind, {}).get(vendor.format().name)
            if encoding is None:
                continue
            profile = Profile(kind, index, vendor, encoding, int(vendor.fps()))
            if kind not in found or _rank(profile) > _rank(found[kind]):
                found[kind] = profile
    return found


def _rank(profile: Profile) -> tuple[bool, int]:
    motion = profile.kind in ("accel", "gyro")
    return (not motion and bool(profile.vendor.is_default()), profile.rate_hz if motion else 0)


def clock_of(serial: str, sensor: Any) -> tuple[str, Any]:  # noqa: ANN401 - rs.sensor
    """Name of the clock that stamps a sensor's frames, and librealsense's domain of such stamps."""
    rs = librealsense()
    option, domains = rs.option.global_time_enabled, rs.timestamp_domain
    if sensor.supports(option) and sensor.get_option(option):
        return f"realsense {serial} global time", domains.global_time
    return f"realsense {serial} hardware clock", domains.hardware_clock


def option_of(sensor: Any, name: str) -> float | None:  # noqa: ANN401 - rs.sensor
    """An option of a sensor, such as "depth_units"; None if it has none.

    They are 32-bit numbers: 0.001 comes as 0.0010000000474974513, and is told as 0.001.
    """
    option = getattr(librealsense().option, name)
    return float(f"{sensor.get_option(option):.7g}") if sensor.supports(option) else None
