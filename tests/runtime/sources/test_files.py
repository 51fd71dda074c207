# SPDX-License-Identifier: Apache-2.0
"""Plain files and folders as streams."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from sensebind.errors import InputError, SourceError
from sensebind.sources import open_source
from sensebind.sources.base import StreamKind
from sensebind.sources.image_files import time_in_name
from sensebind.sources.mapping import map_streams
from sensebind.types import FrameBlock, Modality, SampleBlock, UniformBlock
from tests.support.blocks import all_streams, read_all

if TYPE_CHECKING:
    from pathlib import Path

SECOND_NS = 1_000_000_000
HEADER = "t_ns,ax,ay,az,gx,gy,gz\n"


def picture(layout: str = "JPEG", depth: bool = False) -> bytes:
    stream = io.BytesIO()
    pixels = np.arange(48, dtype=np.uint16 if depth else np.uint8)
    Image.fromarray(pixels.reshape(6, 8) if depth else pixels.reshape(4, 4, 3)).save(stream, layout)
    return stream.getvalue()


def stamps_of(path: Path, **options: Any) -> list[tuple[str, int]]:
    blocks = read_all(open_source(path, **options))
    return [(b.stream, b.stamp_ns) for b in blocks if isinstance(b, FrameBlock)]


@pytest.mark.parametrize(
    ("stem", "time_ns"),
    [
        ("1403636579763555584", 1403636579763555584),
        ("1700000000", 1700000000 * SECOND_NS),
        ("1305031102.175304", 1305031102175304000),
        ("1700000000123", 1700000000123 * 1_000_000),
        ("1700000000123456", 1700000000123456 * 1_000),
        ("00000", None),
        ("42", None),
        ("frame_0001", None),
        ("²²²²²²²²²²", None),
        ("-1700000000", None),
    ],
)
def test_times_in_names(stem: str, time_ns: int | None) -> None:
    assert time_in_name(stem) == time_ns


def test_a_folder_of_pictures_is_a_stream_of_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "color"
    folder.mkdir()
    for k in (2, 10, 1):
        (folder / f"frame{k}.jpg").write_bytes(picture() + bytes([k]))
    source = open_source(folder)
    (info,) = source.streams()
    assert (info.name, info.kind, info.encoding, info.count) == (
        "color",
        StreamKind.FRAMES,
        "jpeg",
        3,
    )
    blocks = [block for block in read_all(source) if isinstance(block, FrameBlock)]
    assert [block.stamp_ns for block in blocks] == [0, SECOND_NS, 2 * SECOND_NS]
    assert [bytes(block.frame.data)[-1] for block in blocks] == [1, 2, 10]
    assert source.report.notes == ["color: names are no times; 1 pictures per second"]
    assert source.report.read == {"color": 3}


def test_the_rate_of_pictures_is_an_option(tmp_path: Path) -> None:
    for k in range(3):
        (tmp_path / f"{k}.png").write_bytes(picture("PNG"))
    stamps_ns = [stamp_ns for _, stamp_ns in stamps_of(tmp_path, frame_rate_hz=30.0)]
    assert stamps_ns == [0, 33_333_333, 66_666_667]


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, float("nan")])
def test_an_impossible_rate(tmp_path: Path, rate_hz: float) -> None:
    (tmp_path / "0.png").write_bytes(picture("PNG"))
    with pytest.raises(SourceError, match=r"frame rate is .* Hz; expected more than 0"):
        open_source(tmp_path, frame_rate_hz=rate_hz)


def test_names_that_are_times_are_stamps(tmp_path: Path) -> None:
    for name in ("1700000002", "1700000000.5"):
        (tmp_path / f"{name}.jpg").write_bytes(picture())
    stamps_ns = [stamp_ns for _, stamp_ns in stamps_of(tmp_path)]
    assert stamps_ns == [1700000000 * SECOND_NS + SECOND_NS // 2, 1700000002 * SECOND_NS]
    assert open_source(tmp_path).report.notes == []


def test_folders_inside_are_streams(tmp_path: Path) -> None:
    for folder, data, suffix in (
        ("color", picture(), "jpg"),
        ("depth", picture("PNG", depth=True), "png"),
    ):
        (tmp_path / folder).mkdir()
        for k in range(2):
            (tmp_path / folder / f"{k}.{suffix}").write_bytes(data)
    (tmp_path / "color" / ".hidden.jpg").write_bytes(picture())
    (tmp_path / "imu.csv").write_text(HEADER + "1,2,3,4,5,6,7\n")
    source = open_source(tmp_path)
    assert [(i.name, i.encoding) for i in source.streams()] == [
        ("color", "jpeg"),
        ("depth", "png16"),
        ("imu.csv", ""),
    ]
    mapping = map_streams(source.streams(), set(Modality), {})
    assert {name: str(c.modality) for name, c in mapping.selected.items()} == {
        "color": "vision",
        "depth": "depth",
        "imu.csv": "imu",
    }
    assert [block.stream for block in read_all(source)] == [
        "color",
        "depth",
        "imu.csv",
        "color",
        "depth",
    ]


def test_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "cat.jpg"
    path.write_bytes(picture())
    assert stamps_of(path) == [("cat.jpg", 0)]
    assert open_source(path).report.notes == []


def test_a_picture_that_is_none_is_counted(tmp_path: Path) -> None:
    (tmp_path / "0.jpg").write_bytes(picture())
    (tmp_path / "1.jpg").write_bytes(b"not a picture")
    source = open_source(tmp_path)
    assert len(read_all(source)) == 1
    assert source.report.skipped == {tmp_path.name: {"neither JPEG nor PNG": 1}}


def test_a_table_is_read_in_blocks(tmp_path: Path) -> None:
    rows = [[k, k + 0.5, -k, 9.81, 0.001 * k, 0, 1e-3] for k in range(150)]
    lines = [",".join(str(value) for value in row) for row in rows]
    path = tmp_path / "imu.csv"
    path.write_text(HEADER + "\n".join(lines) + "\n")
    blocks = [block for block in read_all(open_source(path)) if isinstance(block, SampleBlock)]
    assert [len(block.stamps_ns) for block in blocks] == [64, 64, 22]
    table = np.concatenate([block.values for block in blocks])
    np.testing.assert_array_equal(table, np.array(rows)[:, 1:])
    stamps_ns = np.concatenate([block.stamps_ns for block in blocks])
    np.testing.assert_array_equal(stamps_ns, np.arange(150))


def test_columns_in_another_order_with_others_between(tmp_path: Path) -> None:
    path = tmp_path / "imu.csv"
    path.write_text("\ufeffgz, gy,gx,temperature,az,ay,ax,t_ns\n6,5,4,20,3,2,1,99\n\n")
    (block,) = read_all(open_source(path))
    assert isinstance(block, SampleBlock)
    assert block.values.tolist() == [[1, 2, 3, 4, 5, 6]]
    assert block.stamps_ns.tolist() == [99]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2,3,4,5,6,x,8", r"imu\.csv: line 3, column 'gy': 'x' is not a number; correct"),
        ("2,3,4,5,6,7", r"line 3, column 'gz': '' is not a number"),
        ("2.5,3,4,5,6,7,8", r"column 't_ns': '2\.5' is not a whole number of nanoseconds"),
        ("99999999999999999999,3,4,5,6,7,8", r"column 't_ns': '9+' is not a whole number"),
        ("2,\xff,4,5,6,7,8", r"line 3, column 'ax': '.*xff' is not a number"),
        ("2," + 200_000 * "3", r"line 3 is no line of a table \(field larger than field limit"),
    ],
)
def test_a_bad_line_names_line_and_column(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "imu.csv"
    path.write_bytes((HEADER + "1,2,3,4,5,6,7\n" + line + "\n").encode("latin-1"))
    with pytest.raises(SourceError, match=message):
        read_all(open_source(path))


@pytest.mark.parametrize("header", ["", "t,ax,ay,az,gx,gy,gz\n", "1,2,3,4,5,6,7\n"])
def test_a_table_without_its_header_says_what_is_missing(tmp_path: Path, header: str) -> None:
    path = tmp_path / "imu.csv"
    path.write_text(header + "1,2,3,4,5,6,7\n")
    source = open_source(path)
    with pytest.raises(InputError, match=r"line 1 lacks the columns t_ns.* the header t_ns"):
        map_streams(source.streams(), set(Modality), {})


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_sound_is_read_in_blocks(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"1700000000.{suffix}"
    samples = (0.5 * np.sin(np.arange(20_000) * 0.05)).astype(np.float32)
    soundfile.write(path, np.stack([samples, -samples], axis=1), 44_100)
    source = open_source(path)
    (info,) = source.streams()
    assert (info.name, info.kind) == (path.name, StreamKind.UNIFORM)
    blocks = [block for block in read_all(source) if isinstance(block, UniformBlock)]
    assert len(blocks) == 5
    values = np.concatenate([block.values for block in blocks])
    assert values.shape == (20_000, 2)
    assert values.dtype == np.float32
    assert np.abs(values[:, 0] - samples).max() < (0.05 if suffix == "ogg" else 1e-4)
    expected_ns = 1700000000 * SECOND_NS + round(4096 * SECOND_NS / 44_100)
    assert blocks[1].stamp_ns == expected_ns


def test_a_sound_file_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF nothing")
    (info,) = open_source(tmp_path).streams()
    assert info.kind is StreamKind.OTHER
    assert info.note.startswith("not a readable audio file (")


def test_progress_follows_the_files(tmp_path: Path) -> None:
    for k in range(10):
        (tmp_path / f"{k}.jpg").write_bytes(picture())
    source = open_source(tmp_path)
    progress = [source.progress() for _ in source.blocks(all_streams(source), "stamp")]
    assert progress == pytest.approx([k / 10 for k in range(10)])
    assert source.progress() == 1.0


def test_the_hash_depends_on_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "0.jpg").write_bytes(picture())
    first = open_source(tmp_path).sha256()
    (tmp_path / "0.jpg").rename(tmp_path / "1.jpg")
    second = open_source(tmp_path).sha256()
    (tmp_path / "1.jpg").write_bytes(picture() + b"\0")
    assert len({first, second, open_source(tmp_path).sha256()}) == 3
