# SPDX-License-Identifier: Apache-2.0
"""Sources: recordings, folders and files as streams of blocks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sensebind.errors import SourceError
from sensebind.sources.bags.bag_folder import FILE_FORMATS, BagFolder
from sensebind.sources.bags.several import SeveralSources
from sensebind.sources.bags.source import BagSource
from sensebind.sources.bags.trimmed import Trimmed
from sensebind.sources.files.source import FileSource
from sensebind.sources.layout import layout_of, sole_part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sensebind.sources.bags.containers import Container
    from sensebind.sources.base import Source, SourceReport
    from sensebind.sources.time_range import TimeRange

_BAGS: dict[str, Callable[[Path, SourceReport], Container]] = {
    **FILE_FORMATS,
    "bag folder": BagFolder,
}


def open_source(
    path: str | Path | Sequence[str | Path],
    *,
    frame_rate_hz: float = 1.0,
    time_range: TimeRange | None = None,
) -> Source:
    """Choose the source for a recording by what it is, not by its name.

    Args:
        path: rosbag2 .mcap, .db3 or folder, ROS 1 .bag, RealSense recording, or plain files:
            images, audio files and IMU tables (.csv), one or a folder of them. Several of them
            are read as one, in order of time; none may be named twice.
        frame_rate_hz: rate of a folder of images whose names are not times.
        time_range: the part to read, by receive times in bags and by stamps in plain files.

    Raises:
        SourceError: if it is missing, empty, a Git LFS pointer, damaged or not a recording.
    """
    if isinstance(path, str | Path):
        return _open_one(Path(path), frame_rate_hz, time_range)
    paths = [Path(each) for each in path]
    if len(paths) == 1:
        return _open_one(paths[0], frame_rate_hz, time_range)
    if not paths:
        raise SourceError("no recording was given; name at least one file or folder")
    named = [os.path.realpath(each) for each in paths]
    for number, each in enumerate(paths):
        if named[number] in named[:number]:
            raise SourceError(f"{each} is named twice; name each recording once")
    # The range of several bags counts from the first of them; SeveralSources knows which it is.
    sources = [
        _open_one(each, frame_rate_hz, time_range if layout_of(each) == "files" else None)
        for each in paths
    ]
    return SeveralSources(sources, time_range)


def _open_one(path: Path, frame_rate_hz: float, time_range: TimeRange | None) -> Source:
    layout = layout_of(path)
    if layout == "bag folder" and (part := sole_part(path)) is not None:
        return _open_one(part, frame_rate_hz, time_range)
    if layout != "files":
        return BagSource(path, _BAGS[layout], time_range)
    files = FileSource(path, frame_rate_hz)
    return files if time_range is None else Trimmed(files, time_range)
