# SPDX-License-Identifier: Apache-2.0
"""Plain files and folders as a source: each folder of pictures and each other file is a stream."""

from __future__ import annotations

import heapq
from operator import attrgetter
from typing import TYPE_CHECKING

from sensebind.errors import SourceError
from sensebind.sources.files.audio_file import AudioFile
from sensebind.sources.files.image_files import ImageFiles, apart_by_depth
from sensebind.sources.files.parquet_table import ParquetTable
from sensebind.sources.files.table_file import TableFile
from sensebind.sources.finishing import Finishing
from sensebind.sources.imu_pairs import pairs_in
from sensebind.sources.layout import (
    AUDIO_SUFFIXES,
    FILE_SUFFIXES,
    IMAGE_SUFFIXES,
    TABLE_SUFFIXES,
)
from sensebind.sources.session import Session, check_selection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensebind.config import Order, StreamConfig
    from sensebind.sources.base import StreamInfo
    from sensebind.types import Block

    FileStream = ImageFiles | TableFile | ParquetTable | AudioFile


class FileSource(Session):
    """Images (.jpg, .png), audio files (.wav, .flac, .ogg) and IMU tables (.csv, .parquet).

    Pictures directly in the folder are the stream of the folder's name; those of a folder inside,
    and every other file, are streams named by their path in the folder. Grey pictures of 16 bits
    beside others of their folder are the stream `png16` in it.
    """

    def __init__(self, path: Path, frame_rate_hz: float) -> None:
        super().__init__(path)
        if not frame_rate_hz > 0:
            raise SourceError(f"frame rate is {frame_rate_hz} Hz; expected more than 0")
        self._frame_rate_hz = frame_rate_hz
        self._streams: dict[str, FileStream] = {}
        self._progress = 0.0

    def blocks(self, selected: dict[str, StreamConfig], order: Order) -> Iterator[Block]:
        """Yield the blocks of the selected streams in stamp order, which is all there is.

        Raises:
            SourceError: if a stream is not there or a file is damaged.
        """
        del order  # files have no receive times
        with self:
            check_selection(self.streams(), selected)
            self._begin_counting()
            finishing = Finishing(selected, self.streams(), self.report)
            for block in finishing.blocks(self._merged(selected, finishing)):
                self._count_block(block)
                yield block
            self._progress = 1.0

    def progress(self) -> float:
        """Share of the files read so far, 0..1."""
        return self._progress

    def _merged(self, selected: dict[str, StreamConfig], finishing: Finishing) -> Iterator[Block]:
        """The blocks of the files of the selected streams, in stamp order."""
        configs = {
            name: selected[target[0] if target else name]
            for name, target in sorted(finishing.streams.items())
        }
        streams = [self._streams[name] for name in configs]
        merged: Iterator[Block] = heapq.merge(
            *(stream.blocks(configs[stream.name]) for stream in streams),
            key=attrgetter("first_ns"),
        )
        for block in merged:
            self._progress = sum(stream.fraction for stream in streams) / len(streams)
            yield block

    def _open(self) -> None:
        self._streams = {stream.name: stream for stream in self._find()}
        self._progress = 0.0

    def _close(self) -> None:
        self._streams = {}

    def _describe(self) -> list[StreamInfo]:
        infos = [stream.info() for stream in self._streams.values()]
        return infos + pairs_in(infos)

    def _find(self) -> Iterator[FileStream]:
        folder = self._path if self._path.is_dir() else self._path.parent
        top = folder.absolute().name or "images"
        pictures: dict[str, list[Path]] = {}
        for path in self._files():
            name = path.relative_to(folder).as_posix()
            suffix = path.suffix.lower()
            if suffix in IMAGE_SUFFIXES:
                group = name if path == self._path else name.rpartition("/")[0] or top
                pictures.setdefault(group, []).append(path)
            elif suffix in TABLE_SUFFIXES:
                yield (ParquetTable if suffix == ".parquet" else TableFile)(name, path)
            elif suffix in AUDIO_SUFFIXES:
                yield AudioFile(name, path)
        for group, of_group in pictures.items():
            for name, paths in apart_by_depth(group, of_group).items():
                yield ImageFiles(name, paths, self._frame_rate_hz, self.report)

    def _files(self) -> list[Path]:
        if not self._path.is_dir():
            return [self._path]
        return [
            path
            for path in sorted(self._path.rglob("*"))
            if path.suffix.lower() in FILE_SUFFIXES
            and path.is_file()
            and not any(part.startswith(".") for part in path.relative_to(self._path).parts)
        ]
