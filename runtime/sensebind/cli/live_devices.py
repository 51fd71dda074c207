# SPDX-License-Identifier: Apache-2.0
"""The devices of a live run: those that were asked for, and those there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensebind.errors import InputError, SenseBindError
from sensebind.sources.devices.camera import Camera, cameras
from sensebind.sources.devices.imu_line_sources import imu_serial, imu_udp, serial_ports
from sensebind.sources.devices.microphone import Microphone
from sensebind.sources.devices.microphones import list_microphones, rates_of
from sensebind.sources.devices.realsense import RealSense
from sensebind.sources.devices.realsense_profiles import librealsense, realsense_cameras

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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

    def sources(self) -> list[LiveSource]:
        """A source for each device that was asked for; nothing is opened.

        Raises:
            InputError: none was, or one cannot be as it was written.
        """
        found: list[LiveSource] = []
        if self.mic is not None:
            mic = None if self.mic == "default" else self.mic
            found.append(Microphone(mic, rate_hz=self.mic_rate))
        if self.imu_serial is not None:
            found.append(imu_serial(self.imu_serial))
        if self.imu_udp is not None:
            found.append(imu_udp(self.imu_udp))
        if self.camera is not None:
            found.append(Camera(self.camera))
        if self.thermal is not None:
            found.append(Camera(self.thermal, sense="thermal"))
        if self.realsense is not None:
            found.append(RealSense(None if self.realsense == "default" else self.realsense))
        if not found:
            raise InputError(
                "no device was named; give --mic NAME (for instance --mic default), "
                "--imu-serial DEVICE or another one, or look with --list-devices"
            )
        return found


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
