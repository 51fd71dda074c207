# SPDX-License-Identifier: Apache-2.0
"""The devices of a live run: those that were asked for, and those there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensebind.errors import InputError, SenseBindError
from sensebind.robot.device_config import (
    CameraDevice,
    ImuSerialDevice,
    ImuUdpDevice,
    MicrophoneDevice,
    RealSenseDevice,
)
from sensebind.robot.devices import sources_of
from sensebind.sources.devices.camera import cameras
from sensebind.sources.devices.imu_line_sources import BAUD, serial_ports
from sensebind.sources.devices.microphones import list_microphones, rates_of
from sensebind.sources.devices.realsense_profiles import librealsense, realsense_cameras

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sensebind.robot.device_config import DeviceConfig
    from sensebind.sources.base import LiveSource


@dataclass(frozen=True, slots=True)
class AskedDevices:
    """What the command line says of devices; None where it says nothing.

    Attributes:
        mic: part of a microphone's name, its number, or "default".
        mic_rate: its rate in Hz.
        imu_serial: DEVICE[@BAUD].
        imu_udp: HOST:PORT.
        camera: number of a camera, its path, or a film.
        thermal: the same, of a thermal camera.
        realsense: serial number of a RealSense camera, or "default".
    """

    mic: str | None = None
    mic_rate: float | None = None
    imu_serial: str | None = None
    imu_udp: str | None = None
    camera: str | None = None
    thermal: str | None = None
    realsense: str | None = None

    def devices(self) -> dict[str, DeviceConfig]:
        """The devices that were asked for, as a robot.toml would say it.

        Raises:
            InputError: if one cannot be as it was written.
        """
        found: dict[str, DeviceConfig] = {}
        if self.mic is not None:
            mic = None if self.mic == "default" else self.mic
            found["mic"] = MicrophoneDevice(device=mic, rate_hz=self.mic_rate)
        if self.imu_serial is not None:
            found["imu_serial"] = serial_imu(self.imu_serial)
        if self.imu_udp is not None:
            found["imu_udp"] = udp_imu(self.imu_udp)
        if self.camera is not None:
            found["camera"] = CameraDevice(device=self.camera)
        if self.thermal is not None:
            found["thermal"] = CameraDevice(device=self.thermal, sense="thermal")
        if self.realsense is not None:
            serial = None if self.realsense == "default" else self.realsense
            found["realsense"] = RealSenseDevice(serial=serial)
        return found

    def sources(self) -> list[LiveSource]:
        """A source for each device that was asked for; nothing is opened.

        Raises:
            InputError: none was, or one cannot be as it was written.
        """
        return sources_asked_for(self.devices())


def sources_asked_for(devices: Mapping[str, DeviceConfig]) -> list[LiveSource]:
    """A source for each device; nothing is opened.

    Raises:
        InputError: if there is none.
    """
    if not devices:
        raise InputError(
            "no device was named; give --mic NAME (for instance --mic default), "
            "--imu-serial DEVICE or another one, or look with --list-devices"
        )
    return sources_of(devices)


def serial_imu(wish: str) -> ImuSerialDevice:
    """The IMU of `DEVICE[@BAUD]`.

    Raises:
        InputError: if the rate is none.
    """
    port, _, baud = wish.partition("@")
    if not baud:
        return ImuSerialDevice(port=port)
    if not baud.isdecimal():
        raise InputError(f"the rate of {wish!r} is {baud!r}, expected a number: {port}@{BAUD}")
    return ImuSerialDevice(port=port, baud=int(baud))


def udp_imu(wish: str) -> ImuUdpDevice:
    """The IMU of `HOST:PORT`, also as `udp://HOST:PORT` or just `PORT`.

    Raises:
        InputError: if there is no port in it.
    """
    host, _, port = wish.removeprefix("udp://").rpartition(":")
    if not port.isdecimal():
        raise InputError(f"{wish!r} names no UDP port; expected HOST:PORT, such as 0.0.0.0:5005")
    return ImuUdpDevice(host=host.strip("[]") or "0.0.0.0", port=int(port))  # noqa: S104 - asked for


def device_lines() -> Iterator[str]:
    """The devices of this machine, in lines; where they cannot be listed, why."""
    for lines in (_microphone_lines, _serial_lines, _camera_lines, _realsense_lines):
        yield from _or_reason(lines)


def _or_reason(lines: Callable[[], Iterator[str]]) -> Iterator[str]:
    try:
        yield from lines()
    except SenseBindError as error:
        yield str(error)


def _microphone_lines() -> Iterator[str]:
    microphones = list_microphones()
    yield f"microphones ({len(microphones)}), for --mic:"
    for each in microphones:
        rates = ", ".join(map(str, rates_of(each, 1, "int16")))
        yield f"  {each.index}: {each.name}, {each.channels} channels, at {rates} Hz"


def _serial_lines() -> Iterator[str]:
    ports = serial_ports()
    yield f"serial ports ({len(ports)}), for --imu-serial:"
    for port, says in ports.items():
        yield f"  {port}: {says}"


def _camera_lines() -> Iterator[str]:
    nodes = cameras()
    yield f"video devices ({len(nodes)}), for --camera and --thermal:"
    for path, name in nodes.items():
        yield f"  {path}: {name}"


def _realsense_lines() -> Iterator[str]:
    known = realsense_cameras(librealsense().context())
    yield f"RealSense cameras ({len(known)}), for --realsense:"
    for serial, name in known.items():
        yield f"  {serial}: {name}"
