# SPDX-License-Identifier: Apache-2.0
"""What all sources on disk share: opening, checking a selection, hashing."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from difflib import get_close_matches
from typing import TYPE_CHECKING

from sensebind.errors import SourceError
from sensebind.sources.base import LiveStreamInfo, SourceReport, StreamInfo, StreamKind
from sensebind.sources.imu_pairs import with_asked_for
from sensebind.storage import sha256_of_file
from sensebind.types import SampleBlock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from sensebind.types import Block


class Shared(ABC):
    """Something that is open while anyone has entered it."""

    def __init__(self) -> None:
        self._users = 0

    @abstractmethod
    def _open(self) -> None: ...

    @abstractmethod
    def _close(self) -> None: ...

    def __enter__(self) -> Self:
        if self._users == 0:
            self._open()
        self._users += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._users -= 1
        if self._users == 0:
            self._close()


class Session(Shared):
    """A source on disk; its methods enter it by themselves."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.name = path.name or str(path)
        self.report = SourceReport()
        self._path = path
        self._infos: list[StreamInfo] | None = None
        self._sha256 = ""

    def streams(self) -> list[StreamInfo]:
        """List all streams, usable or not, sorted by name."""
        if self._infos is None:
            with self:
                self._infos = sorted(self._describe(), key=lambda info: info.name)
        return list(self._infos)

    def sha256(self) -> str:
        """SHA-256 of the file; of a folder, over its sorted file names and their hashes."""
        if not self._sha256:
            is_folder = self._path.is_dir()
            self._sha256 = _folder_hash(self._path) if is_folder else sha256_of_file(self._path)
        return self._sha256

    def _begin_counting(self) -> None:
        """Forget what an earlier reading, or a look at the first messages, counted."""
        self.report.read.clear()
        self.report.skipped.clear()

    def _count_block(self, block: Block) -> None:
        """Count a block's messages as read: its rows, or one frame or stretch of sound."""
        self.report.count(block.stream, block.count if isinstance(block, SampleBlock) else 1)

    @abstractmethod
    def _describe(self) -> list[StreamInfo]: ...


def check_selection(infos: list[StreamInfo], names: Iterable[str]) -> None:
    """Check that streams exist, by themselves or as the two halves of an IMU, and can be read.

    Raises:
        SourceError: naming the stream, those with a similar name, and all there are.
    """
    names = list(names)
    known = {info.name: info for info in with_asked_for(infos, names)}
    for name in names:
        if name not in known:
            devices = any(isinstance(info, LiveStreamInfo) for info in infos)
            raise SourceError(unknown_stream(name, list(known), devices=devices))
        if known[name].kind is StreamKind.OTHER:
            raise SourceError(f"stream {name!r} cannot be encoded: {known[name].note}")


def unknown_stream(name: str, known: list[str], *, devices: bool) -> str:
    """Say that a stream is not in the recording, or of the devices, and which ones are."""
    near = get_close_matches(name, known, n=3)
    guess = f"; did you mean {' or '.join(repr(match) for match in near)}?" if near else "."
    listing = ", ".join(repr(other) for other in known) or "none"
    if devices:
        return f"no stream {name!r} of these devices{guess} Their streams: {listing}"
    return f"no stream {name!r} in this recording{guess} Its streams: {listing}"


def _folder_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    for name in sorted(files):
        if files[name].is_file():
            digest.update(f"{name}\0{sha256_of_file(files[name])}\n".encode())
    return digest.hexdigest()
