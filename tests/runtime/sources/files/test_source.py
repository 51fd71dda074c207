# SPDX-License-Identifier: Apache-2.0
"""Plain files and folders as streams."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image

from sensebind.config import StreamConfig
from sensebind.errors import InputError, SourceError
from sensebind.sources import open_source
from sensebind.sources.base import StreamKind
from sensebind.sources.files.image_files import time_in_name
from sensebind.sources.mapping import map_streams
from sensebind.types import FrameBlock, Modality, SampleBlock, UniformBlock
from tests.support.blocks import all_streams, plain, read_all

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.sources.base import Source

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
        ("rgb_1305031102.175304", 1305031102175304000),
        ("cam0-1403636579763555584", 1403636579763555584),
        ("1700000000123.5", None),
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
    assert source.report.notes == [
        "color: names are no times; taken as a picture every 1 s (rate= sets another)"
    ]
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


def test_depth_beside_colour_is_a_stream_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "scan"
    folder.mkdir()
    for number in range(11):
        (folder / f"frame-{number}.color.png").write_bytes(picture("PNG"))
        (folder / f"frame-{number}.depth.png").write_bytes(picture("PNG", depth=True))
    source = open_source(folder)
    told = [(info.name, info.encoding, info.count) for info in source.streams()]
    assert told == [("scan", "png", 11), ("scan/png16", "png16", 11)]
    mapping = map_streams(source.streams(), set(Modality), {})
    modalities = {decision.stream: decision.modality for decision in mapping.decisions}
    assert modalities == {"scan": Modality.VISION, "scan/png16": Modality.DEPTH}
    blocks = [block for block in read_all(source) if isinstance(block, FrameBlock)]
    stamps = [[b.stamp_ns for b in blocks if b.stream == name] for name, _, _ in told]
    assert stamps[0] == stamps[1] == sorted(stamps[0])


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
        ("1.40364E+18,3,4,5,6,7,8", r"'t_ns': '1\.40364E\+18' has lost its last digits, as in a s"),
        ('"1,40364E+18",3,4,5,6,7,8', r"'1,40364E\+18' has lost its last digits, as in a spread"),
        ('2,"9,81",4,5,6,7,8', r"column 'ax': '9,81' is not a number; write it with '\.'; corr"),
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


def read_mapped(source: Source) -> None:
    list(source.blocks(map_streams(source.streams(), set(Modality), {}).selected, "stamp"))


def table(names: str, rows: list[list[Any]]) -> pa.Table:
    return pa.table(dict(zip(names.split(","), map(list, zip(*rows, strict=True)), strict=True)))


EUROC = (
    "#timestamp [ns]", *(f"w_RS_S_{axis} [rad s^-1]" for axis in "xyz"),
    *(f"a_RS_S_{axis} [m s^-2]" for axis in "xyz"),
)  # fmt: skip


def test_what_a_spreadsheet_adds_without_loss_is_read(tmp_path: Path) -> None:
    lines = [EUROC, ("1403636579758555392", *"123456")]
    quoted = "".join(",".join(f'"{cell}"' for cell in line) + "\r\n" for line in lines)
    (tmp_path / "imu.csv").write_bytes(b"\xef\xbb\xbf" + quoted.encode())
    (block,) = read_all(open_source(tmp_path / "imu.csv"))
    assert isinstance(block, SampleBlock)
    assert block.stamps_ns.tolist() == [1403636579758555392]
    assert block.values.tolist() == [[4, 5, 6, 1, 2, 3]]


@pytest.mark.parametrize(("separator", "told"), [(";", "';'"), ("\t", "tabs")])
@pytest.mark.parametrize("quote", ["", '"'])
def test_other_separators_are_named(tmp_path: Path, separator: str, told: str, quote: str) -> None:
    header = separator.join(f"{quote}{name}{quote}" for name in EUROC)
    (tmp_path / "imu.csv").write_text(header + "\n1,40364E+18;1,0;0;0;0;9,81;0\n")
    source = open_source(tmp_path / "imu.csv")
    with pytest.raises(InputError, match=f"line 1 has {told} between its cells, expected ','; w"):
        map_streams(source.streams(), set(Modality), {})


@pytest.mark.parametrize("stamp", ["1.40364E+09", "1e3"])
def test_seconds_that_were_rounded_are_refused(tmp_path: Path, stamp: str) -> None:
    path = tmp_path / "imu.csv"
    path.write_text(HEADER.replace("t_ns", "t_s") + f"{stamp},1,2,3,4,5,6\n")
    with pytest.raises(InputError, match=r"column 't_s': .* has lost its last digits"):
        read_all(open_source(path))


def test_seconds_with_an_exponent_and_every_digit_are_read(tmp_path: Path) -> None:
    path = tmp_path / "imu.csv"
    path.write_text(HEADER.replace("t_ns", "t_s") + "1.403636579758555392e+09,1,2,3,4,5,6\n")
    (block,) = read_all(open_source(path))
    assert isinstance(block, SampleBlock)
    assert block.stamps_ns.tolist() == [1403636579758555392]


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    rows = [[k, k + 0.5, -k, 9.81, 0.001 * k, 0.0, 1e-3] for k in range(5000)]
    lines = [",".join(str(value) for value in row) for row in rows]
    (tmp_path / "imu.csv").write_text(HEADER + "\n".join(lines) + "\n")
    pq.write_table(table(HEADER.strip(), rows), tmp_path / "imu.parquet")
    csv_blocks = read_all(open_source(tmp_path / "imu.csv"))
    source = open_source(tmp_path / "imu.parquet")
    parquet_blocks = read_all(source)
    assert [p[1:] for p in plain(parquet_blocks)] == [p[1:] for p in plain(csv_blocks)]
    assert source.streams()[0].count == 5000
    assert source.progress() == 1.0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (table("t_ns,ax", [[1, 2]]), r"imu\.parquet: lacks the columns ay, az, gx, gy, gz; exp"),
        (table(HEADER.strip(), [[1, *[0.0] * 6], [2, 0, None, 0, 0, 0, 0]]),
         r"row 2, column 'ay' is empty; correct or remove"),
        (table(HEADER.strip(), [[1.5, *[0.0] * 6]]), r"'t_ns' has float64, expected whole nanos"),
        (table(HEADER.replace("t_ns", "t_s").strip(), [[0, *[0.0] * 6], [1e12, *[0.0] * 6]]),
         r"row 2, column 't_s' is not seconds"),
        (table(HEADER.strip(), [[1, *["x"] * 6]]), r"'ax' has values of type string, expected num"),
    ],
)  # fmt: skip
def test_a_bad_parquet_table_names_row_and_column(
    tmp_path: Path, content: pa.Table, message: str
) -> None:
    path = tmp_path / "imu.parquet"
    pq.write_table(content, path)
    source = open_source(path)
    with pytest.raises(InputError, match=message):
        read_mapped(source)


def test_a_parquet_file_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "imu.parquet").write_bytes(b"PAR1 nothing")
    (info,) = open_source(tmp_path / "imu.parquet").streams()
    assert info.kind is StreamKind.OTHER
    assert "not a readable Parquet file (" in info.note


def test_a_parquet_column_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "imu.parquet"
    pq.write_table(pa.table({"t_ns": [1, 2], "ax": [0.0, 1.0]}), path)
    path.write_bytes(path.read_bytes().replace(b"t_ns", b"\xff\xfens"))
    (info,) = open_source(path).streams()
    assert info.kind is StreamKind.OTHER
    assert "not a readable Parquet file" in info.note


def test_stamps_may_be_seconds_or_times(tmp_path: Path) -> None:
    header = HEADER.replace("t_ns", "t_s")
    (tmp_path / "imu.csv").write_text(header + "1700000000.123456789,1,2,3,4,5,6\n")
    (block,) = read_all(open_source(tmp_path / "imu.csv"))
    assert isinstance(block, SampleBlock)
    assert block.stamps_ns.tolist() == [1700000000123456789]
    times = pa.array([1700000000123456], pa.timestamp("us"))
    columns = {"t_ns": times, **{name: [1.0] for name in HEADER.strip().split(",")[1:]}}
    pq.write_table(pa.table(columns), tmp_path / "imu.parquet")
    (block,) = read_all(open_source(tmp_path / "imu.parquet"))
    assert isinstance(block, SampleBlock)
    assert block.stamps_ns.tolist() == [1700000000123456000]


@pytest.mark.parametrize("stamp", ["x", "nan", "inf", "1e300", "1e999999999"])
def test_impossible_seconds_name_the_line(tmp_path: Path, stamp: str) -> None:
    path = tmp_path / "imu.csv"
    path.write_text(HEADER.replace("t_ns", "t_s") + stamp + ",1,2,3,4,5,6\n")
    with pytest.raises(SourceError, match=r"line 2, column 't_s': '.*' is not seconds"):
        read_all(open_source(path))


def test_tables_of_the_euroc_sets_are_understood(tmp_path: Path) -> None:
    header = "#timestamp [ns]," + ",".join(
        [f"w_RS_S_{axis} [rad s^-1]" for axis in "xyz"] + [f"a_RS_S_{a} [m s^-2]" for a in "xyz"]
    )
    (tmp_path / "data.csv").write_text(header + "\n1403636579758555392,4,5,6,1,2,3\n")
    (block,) = read_all(open_source(tmp_path / "data.csv"))
    assert isinstance(block, SampleBlock)
    assert block.values.tolist() == [[1, 2, 3, 4, 5, 6]]
    assert block.stamps_ns.tolist() == [1403636579758555392]


def test_two_halves_in_two_tables_are_joined(tmp_path: Path) -> None:
    accel = "".join(f"{k * 20_000_000},0,0,{9.8 + k}\n" for k in range(4))
    (tmp_path / "accel.csv").write_text("t_ns,ax,ay,az\n" + accel)
    (tmp_path / "gyro.csv").write_text(
        "t_ns,gx,gy,gz\n10000000,1,2,3\n50000000,4,5,6\n70000000,7,8,9\n"
    )
    source = open_source(tmp_path)
    mapping = map_streams(source.streams(), set(Modality), {})
    assert {n: str(c.modality) for n, c in mapping.selected.items()} == {
        "accel.csv+gyro.csv": "imu"
    }
    blocks = [b for b in source.blocks(mapping.selected, "stamp") if isinstance(b, SampleBlock)]
    values = np.concatenate([block.values for block in blocks])
    np.testing.assert_allclose(values, [[0, 0, 10.3, 1, 2, 3], [0, 0, 12.3, 4, 5, 6]])
    assert source.report.read == {"accel.csv+gyro.csv": 2}
    assert source.report.skipped == {"accel.csv+gyro.csv": {"after the last acceleration": 1}}


def test_the_unit_of_a_table_is_an_option(tmp_path: Path) -> None:
    (tmp_path / "imu.csv").write_text(HEADER + "1,0,0,1,180,0,0\n")
    source = open_source(tmp_path / "imu.csv")
    config = StreamConfig(modality=Modality.IMU, unit="g;deg/s")
    (block,) = source.blocks({"imu.csv": config}, "stamp")
    assert isinstance(block, SampleBlock)
    np.testing.assert_allclose(block.values, [[0, 0, 9.80665, np.pi, 0, 0]])


def test_rate_and_format_options_of_files(tmp_path: Path) -> None:
    for k in range(2):
        (tmp_path / f"{k}.jpg").write_bytes(picture())
    soundfile.write(tmp_path / "a.wav", np.zeros(5000, np.float32), 16_000)
    source = open_source(tmp_path)
    selected = {
        tmp_path.name: StreamConfig(modality=Modality.VISION, rate_hz=10.0),
        "a.wav": StreamConfig(modality=Modality.AUDIO, rate_hz=8_000.0),
    }
    blocks = list(source.blocks(selected, "stamp"))
    frames = [block.stamp_ns for block in blocks if isinstance(block, FrameBlock)]
    assert frames == [0, SECOND_NS // 10]
    assert {block.rate_hz for block in blocks if isinstance(block, UniformBlock)} == {8_000.0}
    config = StreamConfig(modality=Modality.AUDIO, format="S16LE")
    with pytest.raises(InputError, match=r"'a\.wav' is an audio file, which tells format and cha"):
        list(source.blocks({"a.wav": config}, "stamp"))


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
