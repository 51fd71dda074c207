# SPDX-License-Identifier: Apache-2.0
"""Several recordings as one source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind.errors import SourceError
from sensebind.sources import open_source
from sensebind.sources.time_range import time_range
from sensebind.types import FrameBlock, SampleBlock
from tests.support import bags
from tests.support.blocks import all_streams, read_all

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.sources.base import Source

START_NS = 1_700_000_000_000_000_000
S = 1_000_000_000


def imu_rows(first: int, count: int, topic: str = "/imu") -> list[bags.Message]:
    return [bags.imu(topic, START_NS + k * S // 10, [k] * 6) for k in range(first, first + count)]


def numbers(source: Source) -> list[float]:
    blocks = read_all(source)
    return [x for block in blocks if isinstance(block, SampleBlock) for x in block.values[:, 0]]


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """Two bags of one stream, of different formats, the later one first."""
    return [
        bags.write_ros1(tmp_path / "late.bag", imu_rows(50, 30)),
        bags.write_mcap(tmp_path / "early.mcap", imu_rows(0, 50)),
    ]


def test_a_recording_named_twice_is_refused(parts: list[Path]) -> None:
    again = parts[0].parent / "." / parts[0].name
    with pytest.raises(SourceError, match=r"late\.bag is named twice; name each recording once"):
        open_source([*parts, again])


def test_recordings_are_read_in_order_of_time(parts: list[Path]) -> None:
    source = open_source(parts)
    assert source.name == "late.bag + early.mcap"
    assert [(info.name, info.count) for info in source.streams()] == [("/imu", 80)]
    assert numbers(source) == list(range(80))
    assert source.report.read == {"/imu": 80}
    assert source.progress() == 1.0
    hashes = [open_source(path).sha256() for path in parts]
    assert source.sha256() == " + ".join(hashes)
    assert numbers(source) == list(range(80))
    assert source.report.read == {"/imu": 80}


def test_recordings_made_side_by_side_give_both_streams(tmp_path: Path) -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    frames = [bags.image("/camera", START_NS + k * S, pixels, "rgb8") for k in range(3)]
    camera = bags.write_mcap(tmp_path / "camera.mcap", frames)
    imu = bags.write_db3(tmp_path / "imu.db3", imu_rows(0, 20))
    blocks = read_all(open_source([camera, imu]))
    assert sum(isinstance(block, FrameBlock) for block in blocks) == 3
    assert sum(len(block.stamps_ns) for block in blocks if isinstance(block, SampleBlock)) == 20


def test_a_time_range_counts_from_the_first_recording(parts: list[Path]) -> None:
    source = open_source(parts, time_range=time_range("4.8", "5.25"))
    assert numbers(source) == [48, 49, 50, 51, 52]
    assert source.report.notes == [
        "read from 4.800 s (2023-11-14T22:13:24.800Z) to 5.250 s (2023-11-14T22:13:25.250Z)"
    ]


def test_one_stream_of_two_kinds_is_refused(tmp_path: Path, parts: list[Path]) -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    other = bags.write_mcap(tmp_path / "o.mcap", [bags.image("/imu", START_NS, pixels, "rgb8")])
    expected = (
        r"stream '/imu' is sensor_msgs/msg/Imu in one recording and sensor_msgs/msg/Image in "
        "another; encode these recordings one by one"
    )
    with pytest.raises(SourceError, match=expected):
        open_source([parts[1], other]).streams()


def test_what_is_no_sense_in_one_of_them_is_left_out_there(
    tmp_path: Path, parts: list[Path]
) -> None:
    chatter = bags.write_mcap(tmp_path / "c.mcap", [bags.text("/imu", START_NS, "hello")])
    source = open_source([chatter, parts[1]])
    assert numbers(source) == list(range(50))


def test_skipped_messages_and_notes_of_all_are_told(tmp_path: Path) -> None:
    paths = []
    for name in ("a", "b"):
        rows = [*imu_rows(0, 5), bags.imu("/imu", START_NS + S, [0] * 6, stamp_ns=0)]
        path = tmp_path / f"{name}.mcap"
        bags.write_mcap(path, rows, indexed=False, repeat_channels=False)
        path.write_bytes(path.read_bytes()[:-50])  # its closing records
        paths.append(path)
    source = open_source(paths)
    read_all(source)
    assert source.report.read == {"/imu": 10}
    assert source.report.skipped == {"/imu": {"stamp 0": 2}}
    assert [note.split(":")[0] for note in source.report.notes] == ["a.mcap", "b.mcap"]


def test_a_missing_one_is_named_at_once(tmp_path: Path, parts: list[Path]) -> None:
    with pytest.raises(SourceError, match=r"nowhere\.mcap: no such file"):
        open_source([parts[0], tmp_path / "nowhere.mcap"])
    with pytest.raises(SourceError, match="no recording was given"):
        open_source([])


def test_a_damaged_one_closes_the_others(tmp_path: Path, parts: list[Path]) -> None:
    broken = tmp_path / "broken.db3"
    broken.write_bytes(b"SQLite format 3\0" + bytes(100))
    source = open_source([parts[0], broken])
    with pytest.raises(SourceError, match="not a readable rosbag2 database"):
        source.streams()


def test_a_stream_in_none_of_them(parts: list[Path]) -> None:
    source = open_source(parts)
    config = next(iter(all_streams(source).values()))
    with pytest.raises(SourceError, match="no stream '/imo' in this recording"):
        next(iter(source.blocks({"/imo": config}, "stamp")))


def test_plain_files_are_read_as_given(tmp_path: Path) -> None:
    for name, first in (("b", 5), ("a", 0)):
        lines = [f"{(first + k) * S},{first + k},0,9.8,0,0,0" for k in range(5)]
        table = "\n".join(["t_ns,ax,ay,az,gx,gy,gz", *lines])
        (tmp_path / f"{name}.csv").write_text(table + "\n")
    source = open_source([tmp_path / "b.csv", tmp_path / "a.csv"])
    assert numbers(source) == [5, 6, 7, 8, 9, 0, 1, 2, 3, 4]
