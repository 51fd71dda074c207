# SPDX-License-Identifier: Apache-2.0
"""Telling what a path is from its first bytes, with an answer for everything that is not usable."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO, Literal

from sensebind.errors import SourceError
from sensebind.recording import UNFINISHED_SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

Layout = Literal["mcap", "db3", "ros1", "packed", "bag folder", "files"]

BAG_SUFFIXES = (".mcap", ".db3", ".bag", ".zstd")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg")
TABLE_SUFFIXES = (".csv", ".parquet")
FILE_SUFFIXES = IMAGE_SUFFIXES + AUDIO_SUFFIXES + TABLE_SUFFIXES

_MAGIC: tuple[tuple[bytes, Layout], ...] = (
    (b"\x89MCAP0\r\n", "mcap"),
    (b"SQLite format 3\0", "db3"),
    (b"#ROSBAG V2.0\n", "ros1"),
    (b"\x28\xb5\x2f\xfd", "packed"),
)
_LFS_POINTER = b"version https://git-lfs"
_EXPECTED = (
    "expected a rosbag2 recording (.mcap, .db3 or its folder), a ROS 1 .bag, "
    "or images, audio files and IMU tables (.jpg, .png, .wav, .flac, .ogg, .csv, .parquet)"
)


def layout_of(path: Path) -> Layout:
    """What kind of recording a path is.

    Raises:
        SourceError: if it is missing, empty, a Git LFS pointer or nothing that can be read.
    """
    try:
        if not path.exists():
            raise SourceError(_missing(path))
        return _layout_of_folder(path) if path.is_dir() else _layout_of_file(path)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check its rights") from None


def _missing(path: Path) -> str:
    if path.with_name(path.name + UNFINISHED_SUFFIX).exists():
        return (
            f"{path}: this recording was not completed; complete what there is of it with: "
            f"sensebind recover {path}"
        )
    return f"{path}: no such file or folder; {_EXPECTED}"


def bag_parts(folder: Path) -> list[Path]:
    """The bag files directly in a folder."""
    return sorted(
        entry for entry in folder.iterdir() if entry.suffix in BAG_SUFFIXES and entry.is_file()
    )


def sole_part(folder: Path) -> Path | None:
    """The one bag file of a folder that no metadata.yaml makes a recording of its own."""
    parts = bag_parts(folder)
    return parts[0] if len(parts) == 1 and not (folder / "metadata.yaml").exists() else None


def natural_order(path: Path) -> list[str | int]:
    """A sort key for file names by which part 10 comes after part 9."""
    pieces = re.split(r"([0-9]+)", path.name)
    return [int(piece) if place % 2 else piece for place, piece in enumerate(pieces)]


def check_content(path: Path, head: bytes) -> None:
    """Refuse an empty file and a Git LFS pointer, given the file's first bytes.

    Raises:
        SourceError: saying which of the two it is and what to do.
    """
    if not head:
        raise SourceError(f"{path}: the file is empty (0 bytes); copy or record it again")
    if head.startswith(_LFS_POINTER):
        raise SourceError(
            f"{path}: this is a Git LFS pointer, not the recording; fetch it with: git lfs pull"
        )


def open_checked(path: Path, magic: bytes, kind: str) -> BinaryIO:
    """Open a file that begins with `magic`, placed behind it.

    Raises:
        SourceError: if it begins otherwise, saying with what; `kind` is what was expected.
    """
    stream = path.open("rb")
    head = stream.read(len(magic))
    if head != magic:
        stream.close()
        check_content(path, head)
        raise SourceError(f"{path}: not {kind}, it begins with {head!r}")
    return stream


def _layout_of_folder(folder: Path) -> Layout:
    if (folder / "metadata.yaml").exists() or bag_parts(folder):
        return "bag folder"
    if any(entry.suffix.lower() in FILE_SUFFIXES for entry in folder.rglob("*")):
        return "files"
    raise SourceError(f"{folder}: nothing in this folder can be read; {_EXPECTED}")


def _layout_of_file(path: Path) -> Layout:
    with path.open("rb") as stream:
        head = stream.read(64)
    check_content(path, head)
    for magic, layout in _MAGIC:
        if head.startswith(magic):
            return layout
    if head.startswith(b"#ROSBAG V1"):
        raise SourceError(f"{path}: a ROS bag of version 1; convert it with: rosbag migrate")
    if path.suffix.lower() in FILE_SUFFIXES:
        return "files"
    raise SourceError(f"{path}: not a recording, it begins with {head[:16]!r}; {_EXPECTED}")
