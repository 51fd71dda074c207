# SPDX-License-Identifier: Apache-2.0
"""What a bag tells of a depth camera beside its frames: centre, focal length and baseline.

The centre and focal length are those of the CameraInfo topic beside the frames. The baseline is the
RealSense option "Stereo Baseline" (millimetres), or that of the CameraInfo of any right imager,
whose projection matrix has -focal length · baseline in its fourth place.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from sensebind.errors import SourceError
from sensebind.sources.bags.bag_folder import FILE_FORMATS, BagFolder
from sensebind.sources.bags.camera_facts import (
    places_of_camera_info,
    read_camera_matrices,
    read_number,
)
from sensebind.sources.bags.containers import first_messages
from sensebind.sources.base import SourceReport
from sensebind.sources.layout import layout_of, sole_part
from sensebind.sources.messages.wire import DecodeError
from sensebind_calibration.plane import Camera

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensebind.sources.bags.camera_facts import CameraMatrices
    from sensebind.sources.bags.containers import Container

_BASELINE = re.compile(r".*/option/Stereo[ _]Baseline/value")
_PLAUSIBLE_M = (0.005, 2.0)


class DepthCamera(NamedTuple):
    """What is known of a depth camera; None where nothing tells it.

    Attributes:
        camera: focal length and centre in pixels.
        baseline_m: between its imagers.
    """

    camera: Camera | None = None
    baseline_m: float | None = None


def depth_camera(path: Path, stream: str) -> DepthCamera:
    """What a recording tells of the camera of a depth stream; nothing if it is no bag."""
    with suppress(SourceError):
        container = _opened(path)
        if container is not None:
            try:
                return DepthCamera(_camera(container, stream), _baseline_m(container))
            finally:
                container.close()
    return DepthCamera()


def _opened(path: Path) -> Container | None:
    layout = layout_of(path)
    if layout == "bag folder":
        part = sole_part(path)
        return BagFolder(path, SourceReport()) if part is None else _opened(part)
    if layout not in FILE_FORMATS:
        return None
    return FILE_FORMATS[layout](path, SourceReport())


def _camera(container: Container, stream: str) -> Camera | None:
    places = set(places_of_camera_info(stream))
    for name, found in _infos(container):
        if name in places:
            fx, _, cx, _, _, cy, *_ = found.camera
            return Camera(fx, cx, cy, found.width)
    return None


def _baseline_m(container: Container) -> float | None:
    for topic in container.topics:
        if _BASELINE.fullmatch(topic.name):
            for message in first_messages(container, topic.name, 1):
                with suppress(DecodeError, ValueError):
                    return _plausible(read_number(topic, message.data) / 1000)
    for _, found in _infos(container):
        focal, _, _, shift, *_ = found.projection
        with suppress(ValueError, ZeroDivisionError):
            return _plausible(-shift / focal)
    return None


def _infos(container: Container) -> Iterator[tuple[str, CameraMatrices]]:
    for topic in container.topics:
        if topic.message_type.endswith("/CameraInfo"):
            for message in first_messages(container, topic.name, 1):
                with suppress(DecodeError):
                    yield topic.name, read_camera_matrices(message.data, topic.layout)


def _plausible(baseline_m: float) -> float:
    if not _PLAUSIBLE_M[0] < baseline_m < _PLAUSIBLE_M[1]:
        raise ValueError(baseline_m)
    return round(baseline_m, 6)
