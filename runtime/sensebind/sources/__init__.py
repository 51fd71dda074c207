# SPDX-License-Identifier: Apache-2.0
"""Sources: recordings, folders and files as streams of blocks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sensebind.sources.bag import BagSource
from sensebind.sources.bag_folder import BagFolder
from sensebind.sources.files import FileSource
from sensebind.sources.layout import layout_of
from sensebind.sources.mcap_file import McapFile
from sensebind.sources.ros1_file import Ros1File
from sensebind.sources.sqlite_file import SqliteFile

if TYPE_CHECKING:
    from sensebind.sources.base import Source
    from sensebind.sources.containers import Container
    from sensebind.sources.layout import Layout

_BAGS: dict[Layout, type[Container]] = {
    "mcap": McapFile,
    "db3": SqliteFile,
    "ros1": Ros1File,
    "bag folder": BagFolder,
}


def open_source(path: str | Path, *, frame_rate_hz: float = 1.0) -> Source:
    """Choose the source for a recording by what it is, not by its name.

    Args:
        path: rosbag2 .mcap, .db3 or folder, ROS 1 .bag, or plain files: images, audio files and
            IMU tables (.csv), one or a folder of them.
        frame_rate_hz: rate of a folder of images whose names are not times.

    Raises:
        SourceError: if it is missing, empty, a Git LFS pointer, damaged or not a recording.
    """
    path = Path(path)
    layout = layout_of(path)
    if layout == "files":
        return FileSource(path, frame_rate_hz)
    return BagSource(path, _BAGS[layout])
