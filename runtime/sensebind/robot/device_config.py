# SPDX-License-Identifier: Apache-2.0
"""The devices of a robot, as they are configured; `kind` tells which."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from sensebind.errors import ConfigError

Hertz = Annotated[float, Meta(gt=0)]
Pixels = Annotated[int, Meta(ge=1, le=65_535)]


class _Device(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"
):
    """What all devices are."""


class MicrophoneDevice(_Device, frozen=True, kw_only=True, tag="microphone"):
    """A microphone, by PortAudio.

    Attributes:
        device: part of its name, or its number; the system's own if None.
        stream: name of its stream.
        rate_hz: samples per second; the device's own rate if None.
        channels: how many are taken, from the first on.
        sample_format: of the samples as the device gives them.
        block_frames: samples per callback; 0 leaves it to the driver, 10 ms if None.
        latency: the driver's lowest or safest buffering.
    """

    device: str | None = None
    stream: str = "/mic/audio"
    rate_hz: Hertz | None = None
    channels: Annotated[int, Meta(ge=1, le=64)] = 1
    sample_format: Literal["int16", "float32"] = "int16"
    block_frames: Annotated[int, Meta(ge=0, le=65_536)] | None = None
    latency: Literal["low", "high"] = "low"


class CameraDevice(_Device, frozen=True, kw_only=True, tag="camera"):
    """A camera, by OpenCV, or a film in its place.

    Attributes:
        device: number N of /dev/videoN, that path, or a film.
        sense: what it sees; of a thermal camera 16-bit counts are asked for.
        stream: name of its stream; /camera/image or /thermal/image if None.
        width: in pixels, with `height`; the driver's own choice if None.
        height: in pixels.
        rate_hz: frames per second; the driver's own choice if None.
    """

    device: str
    sense: Literal["colour", "thermal"] = "colour"
    stream: str | None = None
    width: Pixels | None = None
    height: Pixels | None = None
    rate_hz: Hertz | None = None

    def __post_init__(self) -> None:
        """Refuse half a size."""
        if (self.width is None) != (self.height is None):
            raise ConfigError(
                f"width is {self.width} and height is {self.height}; give both, or neither"
            )


class RealSenseDevice(_Device, frozen=True, kw_only=True, tag="realsense"):
    """A RealSense camera.

    Attributes:
        serial: its serial number; the first one there is if None.
        prefix: its streams are PREFIX/depth, PREFIX/color and PREFIX/imu.
    """

    serial: str | None = None
    prefix: str = "/realsense"


class ImuSerialDevice(_Device, frozen=True, kw_only=True, tag="imu_serial"):
    """An IMU that sends lines of text over a serial port.

    Attributes:
        port: its device, such as /dev/ttyUSB0.
        baud: bits per second.
        stream: name of its stream.
        rate_hz: nominal readings per second; unknown if None.
    """

    port: str
    baud: Annotated[int, Meta(ge=300, le=12_000_000)] = 115_200
    stream: str = "/imu/data"
    rate_hz: Hertz | None = None


class ImuUdpDevice(_Device, frozen=True, kw_only=True, tag="imu_udp"):
    """An IMU whose lines of text come as UDP datagrams.

    Attributes:
        host: address of this machine to listen at; "0.0.0.0" for all.
        port: to listen at.
        stream: name of its stream.
        rate_hz: nominal readings per second; unknown if None.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535)]
    stream: str = "/imu/data"
    rate_hz: Hertz | None = None


class RecordingDevice(_Device, frozen=True, kw_only=True, tag="recording"):
    """A recording that is played as if its sensors delivered it now; to try things out.

    Attributes:
        path: what `sensebind replay` reads.
        factor: how much faster than real time.
        repeat: whether it begins anew where it ends; otherwise the device is gone then.
    """

    path: str
    factor: Hertz = 1.0
    repeat: bool = True


DeviceConfig = (
    MicrophoneDevice
    | CameraDevice
    | RealSenseDevice
    | ImuSerialDevice
    | ImuUdpDevice
    | RecordingDevice
)
DEVICE_CONFIGS: tuple[type[_Device], ...] = get_args(DeviceConfig)
