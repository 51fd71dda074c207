# SPDX-License-Identifier: Apache-2.0
"""Paths that are no recordings, and recordings that are damaged: one clear line each."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from sensebind.errors import SourceError
from sensebind.sources import open_source
from sensebind.sources.bags import packed_file
from sensebind.types import SampleBlock
from tests.support import bags
from tests.support.blocks import all_streams, read_all

START_NS = 1_700_000_000_000_000_000
LFS_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)
ROWS = tuple(bags.imu("/imu", START_NS + k * 10_000_000, [k] * 6) for k in range(200))


@pytest.mark.parametrize("name", ["a.mcap", "a.db3", "a.bag", "folder"])
def test_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match=rf"{name}: no such file or folder; expected a rosbag2"):
        open_source(tmp_path / name)


def test_a_folder_that_may_not_be_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))  # never to the super-user

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(SourceError, match=r"a\.mcap: cannot be read \(Permission denied\); check"):
        open_source(tmp_path / "a.mcap")


@pytest.mark.parametrize("name", ["a.mcap", "a.db3", "a.bag"])
def test_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(SourceError, match=rf"{name}: the file is empty \(0 bytes\)"):
        open_source(tmp_path / name)


@pytest.mark.parametrize("name", ["a.mcap", "a.db3", "a.bag"])
def test_git_lfs_pointer(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(LFS_POINTER)
    with pytest.raises(SourceError, match=rf"{name}: this is a Git LFS pointer.*git lfs pull"):
        open_source(tmp_path / name)


@pytest.mark.parametrize("name", ["a.mcap", "a.db3", "a.bag", "notes.txt"])
def test_not_a_recording(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"just some text")
    with pytest.raises(SourceError, match=rf"{name}: not a recording, it begins with b'just some"):
        open_source(tmp_path / name)


def test_an_old_ros_bag(tmp_path: Path) -> None:
    (tmp_path / "a.bag").write_bytes(b"#ROSBAG V1.2\n")
    with pytest.raises(SourceError, match=r"ROS bag of version 1; convert it with: rosbag migrate"):
        open_source(tmp_path / "a.bag")


def test_a_folder_with_nothing_to_read(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match="nothing in this folder can be read"):
        open_source(tmp_path)


def test_a_folder_whose_parts_are_missing(tmp_path: Path) -> None:
    (tmp_path / "metadata.yaml").write_text("relative_file_paths:\n  - a_0.db3\n")
    with pytest.raises(SourceError, match=r"no \.mcap or \.db3 file.*lists a_0\.db3; copy them"):
        open_source(tmp_path).streams()


@pytest.mark.parametrize("keep", [4, 30, 400])
def test_a_damaged_compressed_file(tmp_path: Path, keep: int) -> None:
    whole = bags.packed(bags.write_mcap(tmp_path / "a.mcap", ROWS)).read_bytes()
    path = tmp_path / "b.mcap.zstd"
    path.write_bytes(whole[:keep] + bytes(len(whole) - keep))
    with pytest.raises(SourceError, match=r"b\.mcap\.zstd: the compressed file is damaged"):
        open_source(path).streams()


def test_a_cut_compressed_file_is_what_it_is_unpacked(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (5, 300, 300, 3), dtype=np.uint8)
    frames = [bags.image("/camera", START_NS + k, noise[k], "rgb8") for k in range(5)]
    for name, write in (("a.mcap", bags.write_mcap), ("a.db3", bags.write_db3)):
        path = bags.packed(write(tmp_path / name, frames))
        path.write_bytes(path.read_bytes()[:700_000])
    source = open_source(tmp_path / "a.mcap.zstd")
    read_all(source)
    assert source.report.read == {"/camera": 2}
    assert any("truncated" in note for note in source.report.notes)
    with pytest.raises(SourceError, match=rf"^{tmp_path}/a\.db3\.zstd: not a readable rosbag2"):
        open_source(tmp_path / "a.db3.zstd").streams()


def test_temporary_files_do_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bags.packed(bags.write_mcap(tmp_path / "a.mcap", ROWS))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    source = open_source(path)
    with source:
        assert len(list(scratch.iterdir())) == 1
    assert list(scratch.iterdir()) == []
    path.write_bytes(bags.packed(bags.write_ros1(tmp_path / "n.bag", [])).read_bytes()[:30])
    with pytest.raises(SourceError):
        open_source(path).streams()
    assert list(scratch.iterdir()) == []


def test_a_folder_for_temporary_files_that_is_too_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bags.packed(bags.write_mcap(tmp_path / "a.mcap", ROWS))
    monkeypatch.setattr(packed_file, "_SPARE_BYTES", 1 << 60)
    with pytest.raises(SourceError, match=r"too small to unpack it; name another in TMPDIR"):
        open_source(path).streams()


def test_a_folder_with_an_empty_part(tmp_path: Path) -> None:
    bags.write_mcap(tmp_path / "a_0.mcap", ROWS)
    (tmp_path / "a_1.mcap").touch()
    with pytest.raises(SourceError, match=r"a_1\.mcap: the file is empty"):
        open_source(tmp_path).streams()


def test_a_path_that_needs_quoting_in_a_uri(tmp_path: Path) -> None:
    path = bags.write_db3(tmp_path / "a.db3", ROWS)
    odd = tmp_path / "50% of #1? [x].db3"
    path.rename(odd)
    source = open_source(odd)
    read_all(source)
    assert source.report.read == {"/imu": 200}


def test_a_database_that_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "a.db3"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE t (x)")
    database.commit()
    database.close()
    with pytest.raises(SourceError, match=r"not a readable rosbag2 database \(no such table"):
        open_source(path).streams()


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_cut_database_names_the_repair(tmp_path: Path, share: float) -> None:
    path = bags.write_db3(tmp_path / "a.db3", ROWS)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(SourceError, match=r"sqlite3 a\.db3 \.recover \| sqlite3 repaired\.db3"):
        read_all(open_source(path))


def test_a_database_without_time_index_is_streamed_in_order(tmp_path: Path) -> None:
    path = bags.write_db3(tmp_path / "a.db3", ROWS[::-1][:90][::-1])
    database = sqlite3.connect(path)
    database.execute("DROP INDEX timestamp_idx")
    database.commit()
    database.close()
    blocks = read_all(open_source(path))
    values = [x for b in blocks if isinstance(b, SampleBlock) for x in b.values[:, 0]]
    assert values == list(range(110, 200))


def test_rows_of_other_types_are_counted(tmp_path: Path) -> None:
    path = bags.write_db3(tmp_path / "a.db3", ROWS)
    database = sqlite3.connect(path)
    database.execute("UPDATE messages SET data = 'text' WHERE id = 5")
    database.execute("UPDATE messages SET timestamp = 'noon' WHERE id = 6")
    database.commit()
    database.close()
    source = open_source(path)
    read_all(source)
    assert source.report.skipped == {"/imu": {"malformed message": 2}}
    assert source.report.read == {"/imu": 198}


def test_topics_of_other_types_are_left_out(tmp_path: Path) -> None:
    path = bags.write_db3(tmp_path / "a.db3", [*ROWS, bags.text("/chatter", START_NS, "hello")])
    database = sqlite3.connect(path)
    database.execute("UPDATE topics SET name = x'00ff' WHERE name = '/chatter'")
    database.commit()
    database.close()
    assert [info.name for info in open_source(path).streams()] == ["/imu"]


def test_a_schema_that_is_no_text(tmp_path: Path) -> None:
    path = bags.write_db3(tmp_path / "a.db3", ROWS)
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE topics", b"CREATE TABLE \xd6opics"))
    with pytest.raises(SourceError, match="not a readable rosbag2 database"):
        open_source(path).streams()


def test_a_write_ahead_log_left_by_a_crash_is_read(tmp_path: Path) -> None:
    path = bags.write_db3(tmp_path / "whole.db3", ROWS)
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode=wal")
    database.execute("DELETE FROM messages WHERE id > 150")
    database.commit()
    crashed = tmp_path / "crashed.db3"
    shutil.copy(path, crashed)
    shutil.copy(tmp_path / "whole.db3-wal", tmp_path / "crashed.db3-wal")
    database.close()
    source = open_source(crashed)
    read_all(source)
    assert source.report.read == {"/imu": 150}


def test_recordings_without_messages_open(tmp_path: Path) -> None:
    for path in (
        bags.write_mcap(tmp_path / "a.mcap", []),
        bags.write_db3(tmp_path / "a.db3", []),
        bags.write_ros1(tmp_path / "a.bag", []),
    ):
        source = open_source(path)
        assert all_streams(source) == {}
        assert read_all(source) == []


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bags.write_mcap(tmp_path / "a.mcap", ROWS[:1])

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(SourceError, match=r"cannot be read \(Permission denied\); check"):
        open_source(path)
