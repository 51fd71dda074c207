# SPDX-License-Identifier: Apache-2.0
"""From configured devices to live sources. Nothing is opened."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sensebind.errors import InputError
from sensebind.robot.device_config import (
    CameraDevice,
    ImuSerialDevice,
    ImuUdpDevice,
    MicrophoneDevice,
    RealSenseDevice,
    RecordingDevice,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensebind.robot.device_config import DeviceConfig
    from sensebind.sources.base import LiveSource


def sources_of(devices: Mapping[str, DeviceConfig]) -> list[LiveSource]:
    """A source for each device, in their order.

    Raises:
        InputError: if there is none, or a recording cannot be opened.
    """
    check_devices(devices)
    return [_source(device) for device in devices.values()]


def check_devices(devices: Mapping[str, DeviceConfig]) -> None:
    """Check that there is something to read; nothing is opened.

    Raises:
        InputError: if there is no device.
    """
    if not devices:
        raise InputError(
            'no device is configured; add one, for example [devices.mic] with kind = "microphone"'
        )


def _source(device: DeviceConfig) -> LiveSource:
    if isinstance(device, MicrophoneDevice):
        return _microphone(device)
    if isinstance(device, CameraDevice):
        return _camera(device)
    if isinstance(device, RealSenseDevice):
        from sensebind.sources.devices.realsense import RealSense

        return RealSense(device.serial, prefix=device.prefix)
    if isinstance(device, ImuSerialDevice):
        from sensebind.sources.devices.imu_line_sources import ImuSerial

        rate_hz = device.rate_hz or 0.0
        return ImuSerial(device.port, device.baud, stream=device.stream, rate_hz=rate_hz)
    if isinstance(device, ImuUdpDevice):
        from sensebind.sources.devices.imu_line_sources import ImuUdp

        rate_hz = device.rate_hz or 0.0
        return ImuUdp(device.host, device.port, stream=device.stream, rate_hz=rate_hz)
    return _played(device)


def _microphone(device: MicrophoneDevice) -> LiveSource:
    from sensebind.sources.devices.microphone import Microphone

    return Microphone(
        device.device,
        stream=device.stream,
        rate_hz=device.rate_hz,
        channels=device.channels,
        sample_format=device.sample_format,
        block_frames=device.block_frames,
        latency=device.latency,
    )


def _camera(device: CameraDevice) -> LiveSource:
    from sensebind.sources.devices.camera import Camera

    size = None if device.width is None or device.height is None else (device.width, device.height)
    return Camera(
        device.device,
        sense=device.sense,
        stream=device.stream,
        size=size,
        rate_hz=device.rate_hz,
    )


def _played(device: RecordingDevice) -> LiveSource:
    from sensebind.sources import open_source
    from sensebind.sources.looped import LoopedSource
    from sensebind.sources.paced import PacedSource

    recorded = open_source(device.path)
    source = LoopedSource(recorded) if device.repeat else recorded
    return PacedSource(source, factor=device.factor, begin_ns=time.time_ns)
