# SPDX-License-Identifier: Apache-2.0
"""Bag files that rosbag2 compressed whole: .mcap.zstd and .db3.zstd.

Databases and indexed files are read in any order, which a compressed stream cannot be, so the file
is unpacked into the folder for temporary files for as long as it is open.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sensebind.errors import SourceError
from sensebind.sources.bags.containers import EVERYTHING, Span, Stretch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from sensebind.sources.bags.containers import Container
    from sensebind.sources.base import SourceReport

_BLOCK_BYTES = 1 << 20
_SPARE_BYTES = 1 << 28  # left free on the disk


class PackedFile:
    """A compressed bag file, unpacked into a temporary file."""

    def __init__(
        self,
        path: Path,
        report: SourceReport,
        open_file: Callable[[Path, SourceReport], Container],
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sensebind-")
        try:
            unpacked = Path(self._folder.name) / path.name.removesuffix(".zstd")
            _unpack(path, unpacked)
            self._container = open_file(unpacked, report)
        except SourceError as error:
            self._folder.cleanup()
            raise SourceError(str(error).replace(str(unpacked), str(path))) from None
        self.topics = self._container.topics
        self.span = self._container.span

    @property
    def fraction(self) -> float:
        """Share of the recording the latest `stretches` call has passed, 0..1."""
        return self._container.fraction

    def stretches(self, topics: Collection[str], span: Span = EVERYTHING) -> Iterator[Stretch]:
        """Yield the messages of some topics, stretch by stretch in order of receipt."""
        return self._container.stretches(topics, span)

    def close(self) -> None:
        """Release and remove the temporary file."""
        self._container.close()
        self._folder.cleanup()


def _unpack(packed: Path, unpacked: Path) -> None:
    """Unpack a file; of one that is cut or damaged, what comes before, for the reader to judge."""
    import zstandard

    with packed.open("rb") as source, unpacked.open("wb") as target:
        with suppress(zstandard.ZstdError):
            _copy(zstandard.ZstdDecompressor().stream_reader(source), target, packed)
        if target.tell() == 0:
            raise SourceError(f"{packed}: the compressed file is damaged; copy or record it again")


def _copy(source: BinaryIO, target: BinaryIO, packed: Path) -> None:
    free = shutil.disk_usage(tempfile.gettempdir()).free - _SPARE_BYTES
    while block := source.read(_BLOCK_BYTES):
        free -= len(block)
        if free < 0:
            raise SourceError(
                f"{packed}: the folder for temporary files, {tempfile.gettempdir()}, is too small "
                f"to unpack it; name another in TMPDIR or unpack it with: zstd -d {packed.name}"
            )
        target.write(block)
