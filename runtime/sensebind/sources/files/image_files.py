# SPDX-License-Identifier: Apache-2.0
"""Pictures on disk as frames, with stamps from their names where those are times."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sensebind.grid import NS_PER_S
from sensebind.sources.base import StreamInfo, StreamKind
from sensebind.sources.layout import natural_order
from sensebind.sources.messages.cdr import compressed_encoding
from sensebind.sources.messages.senses import frame_encoding
from sensebind.types import Frame, FrameBlock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensebind.config import StreamConfig
    from sensebind.sources.base import SourceReport

_TIME = re.compile(r"(?:[A-Za-z][A-Za-z0-9]*[_-])?(?P<whole>[0-9]+)(?:\.(?P<fraction>[0-9]{1,9}))?")
_DIGITS_OF_SECONDS = (9, 10)
_UNITS_NS = {13: 1_000_000, 16: 1_000, 18: 1, 19: 1}  # by the digits of a time since 2001
_HEAD_BYTES = 32  # magic and the PNG header's bit depth
DEEP = "png16"


class ImageFiles:
    """The pictures of one folder, or one picture, as a frame stream in order of name."""

    def __init__(self, name: str, paths: list[Path], rate_hz: float, report: SourceReport) -> None:
        self.name = name
        self.fraction = 0.0
        self._paths = sorted(paths, key=natural_order)
        self._rate_hz = rate_hz
        self._report = report
        self._times_ns = _times_of(self._paths)

    def info(self) -> StreamInfo:
        """Describe the stream; the first picture stands for all."""
        encoding = picture_encoding(self._paths[0])
        count = len(self._paths)
        stills = self._times_ns is None
        return StreamInfo(
            self.name, StreamKind.FRAMES, "image files", encoding, count, stills=stills
        )

    def blocks(self, config: StreamConfig) -> Iterator[FrameBlock]:
        """Yield frames; what is neither JPEG nor PNG is counted."""
        stamps_ns = self._times_ns or self._regular_stamps(config.rate_hz or self._rate_hz)
        pairs = sorted(zip(stamps_ns, self._paths, strict=True))
        for number, (stamp_ns, path) in enumerate(pairs):
            self.fraction = number / len(pairs)
            picture = path.read_bytes()
            encoding = compressed_encoding(picture)
            if encoding:
                yield FrameBlock(self.name, stamp_ns, Frame(picture, encoding))
            else:
                self._report.skip(self.name, "neither JPEG nor PNG")

    def _regular_stamps(self, rate_hz: float) -> list[int]:
        count = len(self._paths)
        if count > 1:
            self._report.note(
                f"{self.name}: names are no times; taken as a picture every {1 / rate_hz:g} s "
                "(rate= sets another)"
            )
        return [round(index * NS_PER_S / rate_hz) for index in range(count)]


def picture_encoding(path: Path) -> str:
    """The encoding of a picture's pixels as its first bytes tell it: jpeg, png or png16."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    return frame_encoding(Frame(head, compressed_encoding(head)))


def apart_by_depth(name: str, paths: list[Path]) -> dict[str, list[Path]]:
    """The pictures of one folder by the stream they are of.

    Grey ones of 16 bits beside others (1.color.jpg, 1.depth.png) are a stream of their own. The
    first of those whose names differ in digits only stands for all of them.
    """
    deep: dict[str, bool] = {}
    groups: dict[bool, list[Path]] = {}
    for path in paths:
        kind = re.sub(r"[0-9]+", "0", path.name)
        if kind not in deep:
            deep[kind] = picture_encoding(path) == DEEP
        groups.setdefault(deep[kind], []).append(path)
    if len(groups) == 1:
        return {name: paths}
    return {name: groups[False], f"{name}/{DEEP}": groups[True]}


def _times_of(paths: list[Path]) -> list[int] | None:
    """The times in the names of files, None if one has none or two have the same."""
    times = [time_in_name(path.stem) for path in paths]
    known = [time for time in times if time is not None]
    return known if len(known) == len(times) == len(set(known)) else None


def time_in_name(stem: str) -> int | None:
    """The time in ns that a file name is: seconds, or an integer of ms, µs or ns by its length.

    A word may come before it: "frame_1700000000.25".
    """
    match = _TIME.fullmatch(stem)
    if match is None:
        return None
    whole, fraction = match["whole"], match["fraction"]
    if len(whole) in _DIGITS_OF_SECONDS:
        return int(whole) * NS_PER_S + int((fraction or "").ljust(9, "0"))
    unit_ns = _UNITS_NS.get(len(whole))
    return None if unit_ns is None or fraction else int(whole) * unit_ns
