# SPDX-License-Identifier: Apache-2.0
"""The same messages from every container, and what of them is delivered, counted or noted."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind.config import StreamConfig
from sensebind.errors import SourceError
from sensebind.sources import open_source
from sensebind.sources.base import StreamKind, without_breaks
from sensebind.types import FrameBlock, Modality, SampleBlock, UniformBlock
from tests.support import bags
from tests.support.blocks import all_streams, plain, read_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sensebind.config import Order
    from tests.support.bags import Message

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
IMU = StreamConfig(modality=Modality.IMU)

FORMATS: dict[str, Callable[[Path, Sequence[Message]], Path]] = {
    "mcap": lambda folder, m: bags.write_mcap(folder / "a.mcap", m),
    "mcap zstd": lambda folder, m: bags.write_mcap(folder / "z.mcap", m, compression="zstd"),
    "mcap lz4": lambda folder, m: bags.write_mcap(folder / "l.mcap", m, compression="lz4"),
    "mcap without chunks": lambda folder, m: bags.write_mcap(folder / "u.mcap", m, chunked=False),
    "mcap without index": lambda folder, m: bags.write_mcap(folder / "n.mcap", m, indexed=False),
    "mcap without repeated channels": lambda folder, m: bags.write_mcap(
        folder / "r.mcap", m, repeat_channels=False
    ),
    "db3": lambda folder, m: bags.write_db3(folder / "a.db3", m),
    "folder of db3": lambda folder, m: bags.write_folder(folder / "folder", m),
    "folder of mcap": lambda folder, m: bags.write_folder(folder / "folder", m, "mcap"),
    "mcap zstd whole": lambda folder, m: bags.packed(bags.write_mcap(folder / "w.mcap", m)),
    "db3 zstd whole": lambda folder, m: bags.packed(bags.write_db3(folder / "w.db3", m)),
    "folder of db3 zstd whole": lambda folder, m: bags.packed(
        bags.write_folder(folder / "folder", m)
    ),
    "mcap zstd messages": lambda folder, m: bags.write_folder(
        folder / "folder", m, "mcap", zstd_messages=True
    ),
    "db3 zstd messages": lambda folder, m: bags.write_folder(
        folder / "folder", m, zstd_messages=True
    ),
    "ros1": lambda folder, m: bags.write_ros1(folder / "a.bag", m),
    "ros1 bz2": lambda folder, m: bags.write_ros1(folder / "a.bag", m, "bz2"),
    "ros1 lz4": lambda folder, m: bags.write_ros1(folder / "a.bag", m, "lz4"),
}


@cache
def reading(rng: np.random.Generator) -> list[float]:
    """A shaken IMU that stands upright."""
    x, y, z, *rates = rng.normal(size=6).tolist()
    return [x, y, z + 9.8, *rates]


def drive(seed: int = 0) -> tuple[Message, ...]:
    """Two seconds of IMU, camera, microphone and chatter, with jitter and equal receive times."""
    rng = np.random.default_rng(seed)
    messages = [bags.audio_info("/audio_info", START_NS), bags.text("/chatter", START_NS, "hello")]
    for k in range(400):
        stamp_ns = START_NS + 5 * MS * k
        log_ns = START_NS + int(rng.integers(0, 400)) * MS + 5 * MS * k // MS * MS
        messages.append(bags.imu("/imu", log_ns, reading(rng), stamp_ns=stamp_ns))
    for k in range(20):
        log_ns = START_NS + 100 * MS * k
        pixels = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
        messages.append(bags.image("/my camera/image raw", log_ns, pixels, "rgb8"))
        samples = rng.integers(-100, 100, 1600).astype(np.int16)
        messages.append(bags.audio("/audio", log_ns, samples))
    return tuple(sorted(messages, key=lambda message: message.log_ns))


def record(tmp_path: Path, *messages: Message) -> Path:
    return bags.write_mcap(tmp_path / "bag.mcap", messages)


@pytest.mark.parametrize("order", ["stamp", "log"])
@pytest.mark.parametrize("layout", FORMATS)
def test_every_container_gives_the_same_blocks(tmp_path: Path, layout: str, order: Order) -> None:
    expected = plain(read_all(open_source(bags.write_db3(tmp_path / "ref.db3", drive())), order))
    source = open_source(FORMATS[layout](tmp_path, drive()))
    assert plain(read_all(source, order)) == expected
    assert source.report.read == {"/audio": 20, "/imu": 400, "/my camera/image raw": 20}
    assert source.report.skipped == {}
    assert source.report.notes == []
    assert source.progress() == 1.0


@pytest.mark.parametrize("layout", FORMATS)
def test_every_container_lists_the_same_streams(tmp_path: Path, layout: str) -> None:
    infos = open_source(FORMATS[layout](tmp_path, drive())).streams()
    assert [(i.name, i.kind.value, i.encoding, i.count) for i in infos] == [
        ("/audio", "uniform", "S16LE, 16000 Hz, 1 channel", 20),
        ("/audio_info", "other", "", 1),
        ("/chatter", "other", "", 1),
        ("/imu", "samples", "", 400),
        ("/my camera/image raw", "frames", "rgb8", 20),
    ]
    assert infos[2].note == "std_msgs/msg/String is not a sense"


def test_values_are_those_written(tmp_path: Path) -> None:
    messages = drive()
    blocks = read_all(open_source(record(tmp_path, *messages)))
    samples = [block for block in blocks if isinstance(block, SampleBlock)]
    stamps_ns = np.concatenate([block.stamps_ns for block in samples])
    np.testing.assert_array_equal(stamps_ns, START_NS + 5 * MS * np.arange(400))
    values = np.concatenate([block.values for block in samples])
    rng = np.random.default_rng(0)
    rows = [(rng.integers(0, 400), reading(rng))[1] for _ in range(400)]
    np.testing.assert_array_equal(values, rows)
    assert values.dtype == np.float64
    assert stamps_ns.dtype == np.int64
    sound = next(block for block in blocks if isinstance(block, UniformBlock))
    assert sound.values.dtype == np.float32
    assert sound.values.shape == (1600, 1)
    assert sound.rate_hz == 16_000
    assert np.abs(sound.values).max() <= 100 / 32768


def test_rows_received_before_a_frame_come_before_it(tmp_path: Path) -> None:
    pixels = np.zeros((2, 2), np.uint8)
    frames = [bags.image("/f", START_NS + 100 * MS * k + 1, pixels, "mono8") for k in range(3)]
    rows = [bags.imu("/imu", START_NS + 10 * MS * k, [k] * 6) for k in range(30)]
    messages = sorted(frames + rows, key=lambda message: message.log_ns)
    newest_ns = 0
    for block in read_all(open_source(record(tmp_path, *messages)), "log"):
        first = block.stamp_ns if isinstance(block, FrameBlock) else int(block.stamps_ns[0])  # type: ignore[union-attr]
        assert first >= newest_ns
        newest_ns = first


def test_reading_twice_and_entering_twice_give_the_same(tmp_path: Path) -> None:
    source = open_source(record(tmp_path, *drive()))
    first = plain(read_all(source))
    with source, source:
        assert plain(read_all(source)) == first
    assert source.report.read["/imu"] == 400


def test_a_selection_leaves_the_others_out_and_changes_nothing_in_it(tmp_path: Path) -> None:
    source = open_source(record(tmp_path, *drive()))
    together = [b for b in read_all(source) if isinstance(b, SampleBlock)]
    alone = [b for b in source.blocks({"/imu": IMU}, "stamp") if isinstance(b, SampleBlock)]
    for name in ("stamps_ns", "values"):
        np.testing.assert_array_equal(
            np.concatenate([getattr(block, name) for block in together]),
            np.concatenate([getattr(block, name) for block in alone]),
        )
    assert source.report.read == {"/imu": 400}


def test_stopping_early_releases_the_file(tmp_path: Path) -> None:
    source = open_source(record(tmp_path, *drive()))
    blocks = source.blocks(all_streams(source), "stamp")
    next(iter(blocks))
    assert 0 < source.progress() < 1
    blocks.close()  # type: ignore[attr-defined]
    assert len(plain(read_all(source))) > 1


@pytest.mark.parametrize(
    ("stamps_ns", "note"),
    [
        ([0] * 9, "/imu: most header stamps are 0; receive times are used instead"),
        ([5] * 9, "/imu: all header stamps are the same; receive times are used instead"),
        (range(9, 0, -1), "/imu: most header stamps go backwards; receive times are used instead"),
    ],
)
def test_unusable_stamps_give_way_to_receive_times(
    tmp_path: Path, stamps_ns: list[int], note: str
) -> None:
    logs_ns = [START_NS + 10 * MS * k for k in range(9)]
    messages = [
        bags.imu("/imu", log, [1] * 6, stamp_ns=stamp)
        for log, stamp in zip(logs_ns, stamps_ns, strict=True)
    ]
    source = open_source(record(tmp_path, *messages))
    (block,) = read_all(source)
    assert isinstance(block, SampleBlock)
    assert block.stamps_ns.tolist() == logs_ns
    assert source.report.notes == [note]


def test_sound_without_stamps_is_placed_by_the_count_of_its_samples(tmp_path: Path) -> None:
    """Blocks of 10 ms, four of which arrive at once; the fourth 5 ms after its end."""
    blocks_ns = [START_NS + k * 10 * MS for k in range(200)]
    logs_ns = [START_NS + (k // 4 * 40 + 45) * MS for k in range(200)]
    samples = np.arange(200 * 160, dtype=np.int16).reshape(200, 160)
    rows = [bags.bare_audio("/mic", *row) for row in zip(logs_ns, samples, strict=True)]
    source = open_source(record(tmp_path, *rows))
    config = StreamConfig(modality=Modality.AUDIO, rate_hz=16_000, format="S16LE", channels=1)
    blocks = without_breaks(source.blocks({"/mic": config}, "stamp"))
    sounds = [block for block in blocks if isinstance(block, UniformBlock)]
    values = np.concatenate([sound.values[:, 0] for sound in sounds])
    np.testing.assert_array_equal(values * 32768, samples.reshape(-1))
    placed_ns = np.array([sound.stamp_ns for sound in sounds])[4:]  # by now one was waited for
    np.testing.assert_allclose(placed_ns - blocks_ns[4:], 5 * MS, atol=0.1 * MS)


def test_stray_zero_stamps_and_split_messages_are_counted(tmp_path: Path) -> None:
    messages = [
        bags.imu("/imu", START_NS + k * MS, [k] * 6, stamp_ns=0 if k == 5 else None)
        for k in range(12)
    ]
    messages.append(bags.imu("/imu", START_NS + 20 * MS, [1] * 6, acceleration_covariance=-1.0))
    source = open_source(record(tmp_path, *messages))
    (block,) = read_all(source)
    assert isinstance(block, SampleBlock)
    assert len(block.stamps_ns) == 11
    assert source.report.skipped == {"/imu": {"stamp 0": 1, "no acceleration": 1}}


def test_streams_of_half_an_imu_say_so(tmp_path: Path) -> None:
    source = open_source(
        record(
            tmp_path,
            bags.imu("/accel", START_NS, [1] * 6, gyro_covariance=-1.0),
            bags.imu("/gyro", START_NS, [1] * 6, acceleration_covariance=-1.0),
        )
    )
    encodings = {info.name: info.encoding for info in source.streams()}
    assert encodings == {
        "/accel": "acceleration",
        "/gyro": "angular velocity",
        "/accel+/gyro": "joined",
    }


def test_audio_without_its_format_is_counted(tmp_path: Path) -> None:
    samples = np.zeros(160, np.int16)
    source = open_source(record(tmp_path, bags.audio("/audio", START_NS, samples)))
    assert read_all(source) == []
    cause = "sample rate unknown (no AudioInfo message)"
    assert source.report.skipped == {"/audio": {cause: 1}}


def test_compressed_audio_is_refused_with_the_reason(tmp_path: Path) -> None:
    source = open_source(
        record(
            tmp_path,
            bags.audio_info("/audio_info", START_NS, coding_format="mp3"),
            bags.audio("/audio", START_NS, np.zeros(160, np.int16)),
        )
    )
    info = next(info for info in source.streams() if info.name == "/audio")
    assert info.kind is StreamKind.OTHER
    assert info.note.startswith("audio coded as 'mp3', expected PCM;")


def test_the_audio_info_beside_a_topic_is_its_format(tmp_path: Path) -> None:
    messages = [
        bags.audio_info("/front/audio_info", START_NS, rate_hz=16_000),
        bags.audio_info("/rear/audio_info", START_NS, rate_hz=48_000, channels=2),
        bags.audio("/front/audio", START_NS, np.zeros(8, np.int16)),
        bags.audio("/rear/audio", START_NS + 1, np.zeros(8, np.int16)),
    ]
    blocks = read_all(open_source(record(tmp_path, *messages)))
    shapes = [(b.rate_hz, b.values.shape) for b in blocks if isinstance(b, UniformBlock)]
    assert shapes == [(16_000, (8, 1)), (48_000, (4, 2))]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "/imv",
            r"no stream '/imv' in this recording; did you mean '/imu'\? Its streams: '/audio'",
        ),
        ("/chatter", r"stream '/chatter' cannot be encoded: std_msgs/msg/String is not a sense"),
    ],
)
def test_streams_that_cannot_be_selected(tmp_path: Path, name: str, message: str) -> None:
    source = open_source(record(tmp_path, *drive()))
    with pytest.raises(SourceError, match=message):
        next(iter(source.blocks({name: IMU}, "stamp")))


def test_hashes_tell_recordings_apart(tmp_path: Path) -> None:
    first = open_source(bags.write_folder(tmp_path / "a", drive()))
    other = open_source(bags.write_folder(tmp_path / "b", drive(1)))
    assert first.sha256() == open_source(tmp_path / "a").sha256() != other.sha256()
    assert len(first.sha256()) == 64
    one = open_source(tmp_path / "a" / "a.db3")
    assert one.sha256() != first.sha256()


def test_a_split_recording_is_read_in_order_of_its_parts(tmp_path: Path) -> None:
    folder = tmp_path / "split"
    folder.mkdir()
    for part in range(11):
        rows = [bags.imu("/imu", START_NS + part * 1000 + k, [part] * 6) for k in range(3)]
        bags.write_mcap(folder / f"split_{part}.mcap", rows)
    source = open_source(folder)
    assert [(info.name, info.count) for info in source.streams()] == [("/imu", 33)]
    (block,) = read_all(source)
    assert isinstance(block, SampleBlock)
    assert block.values[:, 0].tolist() == sorted(block.values[:, 0])


@pytest.mark.parametrize("item", ["{}", "path: {}", 'path: "{}"'])
def test_the_parts_a_listing_names_twice_are_there(tmp_path: Path, item: str) -> None:
    folder = tmp_path / "whole"
    folder.mkdir()
    bags.write_mcap(folder / "whole_0.mcap", [bags.imu("/imu", START_NS, [1] * 6)])
    listing = "rosbag2_bagfile_information:\n  relative_file_paths:\n    - whole_0.mcap\n  files:\n"
    (folder / "metadata.yaml").write_text(listing + f"    - {item.format('whole_0.mcap')}\n")
    source = open_source(folder)
    assert len(read_all(source)) == 1
    assert source.report.notes == []


def test_a_missing_part_is_noted(tmp_path: Path) -> None:
    folder = tmp_path / "split"
    folder.mkdir()
    bags.write_mcap(folder / "split_1.mcap", [bags.imu("/imu", START_NS, [1] * 6)])
    listing = "rosbag2_bagfile_information:\n  relative_file_paths:\n"
    (folder / "metadata.yaml").write_text(listing + "    - split_0.mcap\n    - split_1.mcap\n")
    source = open_source(folder)
    assert len(read_all(source)) == 1
    assert source.report.notes == [
        "split: parts are missing: split_0.mcap; the others are read in order"
    ]


def test_old_type_names_are_understood(tmp_path: Path) -> None:
    import sqlite3

    path = bags.write_db3(tmp_path / "a.db3", drive())
    with sqlite3.connect(path) as database:
        database.execute("UPDATE topics SET type = replace(type, '/msg/', '/')")
    database.close()
    kinds = {info.name: info.kind for info in open_source(path).streams()}
    assert kinds["/imu"] is StreamKind.SAMPLES


def test_other_serialization_formats_are_named(tmp_path: Path) -> None:
    import sqlite3

    path = bags.write_db3(tmp_path / "a.db3", drive())
    with sqlite3.connect(path) as database:
        database.execute("UPDATE topics SET serialization_format = 'cbor'")
    database.close()
    infos = {info.name: info for info in open_source(path).streams()}
    assert infos["/imu"].kind is StreamKind.OTHER
    assert infos["/imu"].note == (
        "its messages are serialized as 'cbor', expected one of cdr, ros1, json, protobuf"
    )
