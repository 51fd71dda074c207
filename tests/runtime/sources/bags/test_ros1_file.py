# SPDX-License-Identifier: Apache-2.0
"""ROS 1 bags as they are found: cut, without index, damaged, of other recorders."""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensebind.errors import SourceError
from sensebind.sources import open_source
from sensebind.sources.bags import ros1_file, ros1_index
from sensebind.sources.bags.ros1_file import Ros1File
from sensebind.sources.base import SourceReport
from sensebind.types import SampleBlock
from tests.support import bags
from tests.support.blocks import read_all, reading_notes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bags import Message

START_NS = 1_700_000_000_000_000_000
NO_INDEX = (
    "cut.bag: the bag has no index, it is truncated or was not closed; what can be read is read; "
    "an index is made with: rosbag reindex cut.bag"
)


@cache
def rows(count: int) -> tuple[Message, ...]:
    return tuple(bags.imu("/imu", START_NS + k * 10_000_000, [k] * 6) for k in range(count))


def first_column(path: Path) -> list[float]:
    blocks = read_all(open_source(path))
    return [x for block in blocks if isinstance(block, SampleBlock) for x in block.values[:, 0]]


@pytest.mark.parametrize("compression", ["none", "bz2", "lz4"])
def test_a_bag_whose_index_was_cut_off_is_scanned(tmp_path: Path, compression: str) -> None:
    whole = bags.write_ros1(tmp_path / "a.bag", rows(200), compression)
    index_at = struct.unpack("<Q", whole.read_bytes().split(b"index_pos=")[1][:8])[0]
    path = tmp_path / "cut.bag"
    path.write_bytes(whole.read_bytes()[:index_at])
    source = open_source(path)
    assert [(info.name, info.count) for info in source.streams()] == [("/imu", 200)]
    assert reading_notes(source) == [NO_INDEX]
    assert first_column(path) == list(range(200))


@given(keep=st.floats(0, 1))
def test_a_cut_bag_gives_what_is_before_the_cut(
    keep: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    data = bags.write_ros1(folder / "a.bag", rows(60)).read_bytes()
    path = folder / "cut.bag"
    path.write_bytes(data[: 13 + int(keep * (len(data) - 14))])
    source = open_source(path)
    values = [x for b in read_all(source) if isinstance(b, SampleBlock) for x in b.values[:, 0]]
    assert values == list(range(len(values)))
    assert reading_notes(source) == [NO_INDEX]
    kept = path.read_bytes()
    assert len(values) == sum(bags.serialize(row, ros1=True) in kept for row in rows(60))


def test_a_damaged_chunk_is_skipped_and_noted(tmp_path: Path) -> None:
    path = bags.write_ros1(tmp_path / "a.bag", rows(200), "bz2")
    data = bytearray(path.read_bytes())
    chunk = data.index(b"BZh")
    data[chunk : chunk + 40] = bytes(40)
    path.write_bytes(data)
    source = open_source(path)
    read_all(source)
    assert source.report.read == {}
    (note,) = source.report.notes
    assert note.startswith("a.bag: the chunk at byte 4109 is skipped: damaged compression")


def test_a_chunk_larger_than_it_says_is_not_unpacked_further(tmp_path: Path) -> None:
    path = bags.write_ros1(tmp_path / "a.bag", rows(200), "bz2")
    data = path.read_bytes()
    place = data.index(b"size=", data.index(b"compression=bz2") - 60) + 5
    path.write_bytes(data[:place] + struct.pack("<I", 1000) + data[place + 4 :])
    with path.open("rb") as stream:
        payload = ros1_index.read_chunk(stream, 4109, len(data))
    assert len(payload) == 1000


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (b"compression=bz2", b"compression=zip", "unknown chunk compression 'zip'"),
        (b"op=\x05", b"op=\x09", "damaged index"),
    ],
)
def test_chunks_of_another_kind(tmp_path: Path, name: bytes, content: bytes, expected: str) -> None:
    path = bags.write_ros1(tmp_path / "a.bag", rows(20), "bz2")
    data = path.read_bytes()
    path.write_bytes(data[:4109] + data[4109:].replace(name, content, 1))
    source = open_source(path)
    assert read_all(source) == []
    assert reading_notes(source) == [f"a.bag: the chunk at byte 4109 is skipped: {expected}"]


def test_header_fields_in_any_order_are_read(tmp_path: Path) -> None:
    path = bags.write_ros1(tmp_path / "a.bag", rows(50))
    data = path.read_bytes()
    expected = first_column(path)
    begin = data.index(b"time=", 4109) - 4
    fields = {
        b"op": b"\x04\0\0\0op=\x02",
        b"conn": b"\x09\0\0\0conn=" + struct.pack("<I", 0),
    }
    for first in (fields[b"op"] + fields[b"conn"], fields[b"conn"] + fields[b"op"]):
        place = data.find(first, 4109)
        if place >= 0:
            break
    time = data[begin : begin + 17]
    assert len(first + time) == 38
    shuffled = data
    position = 4109
    while (position := shuffled.find(first, position)) >= 0:
        stamp = shuffled[position + 21 : position + 38]
        shuffled = shuffled[:position] + stamp + first + shuffled[position + 38 :]
        position += 38
    path.write_bytes(shuffled)
    assert shuffled != data
    assert first_column(path) == expected


def test_a_chunk_is_read_only_when_its_messages_are_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bags.write_ros1(tmp_path / "a.bag", rows(4000))
    container = Ros1File(path, SourceReport())
    read: list[int] = []

    def counted(stream: object, position: int, size: int) -> bytes:
        read.append(position)
        return ros1_index.read_chunk(stream, position, size)  # type: ignore[arg-type]

    monkeypatch.setattr(ros1_file, "read_chunk", counted)
    stretches = container.stretches(["/imu"])
    next(stretches)
    assert len(read) == 1
    rest = sum(len(column.data) for s in stretches for column in s.columns.values())
    assert 0 < rest < 4000
    assert len(read) > 1
    container.close()


def test_not_a_ros1_bag(tmp_path: Path) -> None:
    path = tmp_path / "a.bag"
    path.write_bytes(b"something else entirely")
    with pytest.raises(SourceError, match=r"not a ROS 1 bag, it begins with b'something els'"):
        Ros1File(path, SourceReport())


def test_an_encrypted_bag_is_named(tmp_path: Path) -> None:
    whole = bags.write_ros1(tmp_path / "plain.bag", rows(5)).read_bytes()
    at = len(b"#ROSBAG V2.0\n")
    (header_bytes,) = struct.unpack_from("<I", whole, at)
    for name, refused in ((b"rosbag/AesCbcEncryptor", True), (b"rosbag/NoEncryptor", False)):
        entry = b"encryptor=" + name
        entry = struct.pack("<I", len(entry)) + entry
        begin, end = at + 4, at + 4 + header_bytes
        (padding,) = struct.unpack_from("<I", whole, end)  # the record has a fixed size
        head = struct.pack("<I", header_bytes + len(entry)) + whole[begin:end] + entry
        rest = struct.pack("<I", padding - len(entry)) + whole[end + 4 + len(entry) :]
        path = tmp_path / "a.bag"
        path.write_bytes(whole[:at] + head + rest)
        if refused:
            with pytest.raises(SourceError, match=r"AesCbcEncryptor.*rosbag decrypt a\.bag"):
                open_source(path).streams()
        else:
            assert first_column(path) == [0, 1, 2, 3, 4]
