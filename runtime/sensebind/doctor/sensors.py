# SPDX-License-Identifier: Apache-2.0
"""Microphones, sound servers and RealSense cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensebind.doctor.asking import answer_of, has_module
from sensebind.doctor.finding import Finding
from sensebind.errors import SenseBindError
from sensebind.sources.devices.microphones import list_microphones
from sensebind.sources.devices.realsense_profiles import librealsense

if TYPE_CHECKING:
    from collections.abc import Iterator

_USB3 = "3"


def sound() -> Iterator[Finding]:
    """What can be heard with."""
    if not has_module("sounddevice"):
        yield Finding(
            "sound",
            "note",
            "sounddevice is not installed: there are no live microphones",
            "pip install 'sensebind[audio]'; sudo apt install libportaudio2",
        )
        return
    try:
        microphones = list_microphones()
    except SenseBindError as error:
        yield Finding("sound", "warning", str(error), "")
        return
    if microphones:
        names = ", ".join(microphone.name for microphone in microphones)
        yield Finding("sound", "ok", f"microphones: {names}")
    else:
        yield Finding(
            "sound",
            "note",
            "PortAudio finds no microphone",
            "connect one; a user needs the group 'audio' for ALSA: sudo usermod -aG audio $USER",
        )
    yield from _servers()


def _servers() -> Iterator[Finding]:
    told = answer_of("pactl", "info")
    name = next(
        (line.split(":", 1)[1].strip() for line in told.splitlines() if "Server Name" in line), ""
    )
    yield Finding("sound", "ok", f"sound server: {name or 'none answers; ALSA is used directly'}")


def realsense() -> Iterator[Finding]:
    """Cameras, how they are connected, and whether they feel motion."""
    if not has_module("pyrealsense2"):
        yield Finding(
            "realsense",
            "note",
            "pyrealsense2 is not installed: there are no live RealSense cameras",
            "pip install 'sensebind[realsense]'",
        )
        return
    rs = librealsense()
    devices = list(rs.context().query_devices())
    if not devices:
        yield Finding("realsense", "ok", "no RealSense camera is connected")
    for device in devices:
        yield from _camera(rs, device)


def _camera(rs: Any, device: Any) -> Iterator[Finding]:  # noqa: ANN401 - pyrealsense2's own
    info = rs.camera_info

    def told(field: Any) -> str:  # noqa: ANN401 - rs.camera_info
        return str(device.get_info(field)) if device.supports(field) else ""

    name, usb = told(info.name), told(info.usb_type_descriptor)
    motion = any(sensor.is_motion_sensor() for sensor in device.query_sensors())
    said = f"{name} {told(info.serial_number)}, USB {usb or '?'}, {'an' if motion else 'no'} IMU"
    if usb and not usb.startswith(_USB3):
        yield Finding(
            "realsense",
            "warning",
            f"{said}: too slow for full rates",
            "connect it to a USB 3 port with the cable that came with it",
        )
    else:
        yield Finding("realsense", "ok", said)
