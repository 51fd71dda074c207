# SPDX-License-Identifier: Apache-2.0
"""Folders of a rosbag2 recording: one or more .mcap or .db3 parts and their metadata.yaml."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sensebind.errors import SourceError
from sensebind.sources.bags.containers import (
    EVERYTHING,
    LATEST_NS,
    Span,
    Stretch,
    joined_span,
    merged_topics,
)
from sensebind.sources.bags.mcap_file import McapFile
from sensebind.sources.bags.packed_file import PackedFile
from sensebind.sources.bags.ros1_file import Ros1File
from sensebind.sources.bags.sqlite_file import SqliteFile
from sensebind.sources.layout import bag_parts, layout_of, natural_order

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from sensebind.sources.bags.containers import Container
    from sensebind.sources.base import SourceReport

FILE_FORMATS: dict[str, Callable[[Path, SourceReport], Container]] = {
    "mcap": McapFile,
    "db3": SqliteFile,
    "ros1": Ros1File,
    "packed": lambda path, report: PackedFile(path, report, open_bag_file),
}
"""Bag file formats by layout; the first bytes decide, not the file's name."""

# an item of `relative_file_paths`, or of `files`, which Humble and later write as well
_LISTED_PART = re.compile(
    r"^\s*-\s*(?:path:\s*)?[\"']?([^\"'\n]+\.(?:mcap|db3)(?:\.zstd)?)[\"']?\s*$", re.MULTILINE
)


class BagFolder:
    """The parts of a split recording, one after another."""

    def __init__(self, path: Path, report: SourceReport) -> None:
        paths = _without_copies(sorted(bag_parts(path), key=natural_order))
        present = {part.name.removesuffix(".zstd") for part in paths}
        listed = {name.removesuffix(".zstd") for name in _listed_parts(path)}
        missing = sorted(listed - present)
        if not paths:
            raise SourceError(_nothing_readable(path, missing))
        if missing:
            names = ", ".join(missing)
            report.note(f"{path.name}: parts are missing: {names}; the others are read in order")
        self._parts: list[Container] = []
        try:
            for part in paths:
                self._parts.append(open_bag_file(part, report))
            _check_foreign(path, paths, self._parts)
        except SourceError:
            self.close()
            raise
        self._parts.sort(key=lambda part: part.span.begin_ns if part.span else LATEST_NS)
        self.span = joined_span([part.span for part in self._parts])
        self.topics = merged_topics([topic for part in self._parts for topic in part.topics])

    @property
    def fraction(self) -> float:
        """Share of the parts the latest `stretches` call has passed, 0..1."""
        return sum(part.fraction for part in self._parts) / len(self._parts)

    def stretches(self, topics: Collection[str], span: Span = EVERYTHING) -> Iterator[Stretch]:
        """Yield the messages of some topics, part by part in order of their first message."""
        begins_ns = [part.span.begin_ns if part.span else LATEST_NS for part in self._parts]
        for number, part in enumerate(self._parts, 1):
            next_ns = min(begins_ns[number:], default=LATEST_NS)
            for stretch in part.stretches(topics, span):
                yield Stretch(stretch.columns, min(stretch.frontier_ns, next_ns))

    def close(self) -> None:
        """Release the files."""
        for part in self._parts:
            part.close()


def open_bag_file(path: Path, report: SourceReport) -> Container:
    """Open one bag file in the format its first bytes tell.

    Raises:
        SourceError: if it is not a bag or is damaged.
    """
    layout = layout_of(path)
    if layout not in FILE_FORMATS:
        raise SourceError(f"{path}: not a bag file; remove it from the folder or rename it")
    return FILE_FORMATS[layout](path, report)


def _check_foreign(folder: Path, paths: list[Path], parts: list[Container]) -> None:
    """Refuse to read recordings of ours as parts of one: each has settings of its own.

    Raises:
        SourceError: naming one of them.
    """
    for path, part in zip(paths, parts, strict=True):
        if isinstance(part, McapFile) and part.recording is not None:
            raise SourceError(
                f"{folder}: {path.name} in this folder is the recording of a live run, complete "
                f"by itself; name the recordings one by one: sensebind replay {path} …"
            )


def _listed_parts(folder: Path) -> set[str]:
    """Names of the parts that metadata.yaml lists; empty without one."""
    try:
        text = (folder / "metadata.yaml").read_text("utf-8", "replace")
    except OSError:
        return set()
    return {name.rpartition("/")[2] for name in _LISTED_PART.findall(text)}


def _without_copies(paths: list[Path]) -> list[Path]:
    """The parts without those that lie beside their unpacked form."""
    names = {path.name for path in paths}
    return [p for p in paths if p.suffix != ".zstd" or p.name.removesuffix(".zstd") not in names]


def _nothing_readable(folder: Path, missing: list[str]) -> str:
    return (
        f"{folder}: no .mcap or .db3 file in this folder; metadata.yaml lists "
        f"{', '.join(missing) or 'none'}; copy them beside it"
    )
