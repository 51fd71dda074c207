# SPDX-License-Identifier: Apache-2.0
"""Where results may go, and what happens when the disk says no."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

import pytest

from sensebind.errors import InputError, SinkError
from sensebind.sinks import check_output, open_sink
from sensebind.sinks.atomic import AtomicFile
from sensebind.sinks.base import Sink, finishing
from tests.support.records import record, run_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sensebind.records import Record

SUFFIXES = [".parquet", ".jsonl", ".mcap"]


def write_all(sink: Sink, records: Iterable[Record]) -> None:
    with finishing(sink):
        for each in records:
            sink.write(each)


@pytest.fixture
def small_files() -> Iterator[None]:
    """The kernel refuses to let any file grow past 64 KiB, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["out.bag", "out.csv", "out"])
def test_an_unknown_format_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"not a format we write; .* \.parquet, \.jsonl"):
        check_output(tmp_path / name)


def test_a_missing_folder_is_named_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder '.*/deep'; create it first: mkdir -p"):
        check_output(tmp_path / "deep" / "out.parquet")


def test_a_folder_is_not_an_output(tmp_path: Path) -> None:
    (tmp_path / "out.parquet").mkdir()
    with pytest.raises(InputError, match="it is a folder"):
        check_output(tmp_path / "out.parquet")


def test_a_link_to_itself_is_no_output(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").symlink_to(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"cannot write '.*a\.parquet': it is a link that leads"):
        check_output(tmp_path / "a.parquet")


def test_a_device_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out.jsonl")
    with pytest.raises(InputError, match="it is not a regular file"):
        check_output(tmp_path / "out.jsonl")


def test_a_read_only_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The super-user may write anywhere, so the answer of the file system is made up here.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match=r"the folder '.*' is read-only for you; choose another"):
        check_output(tmp_path / "out.parquet")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_cannot_be_begun(tmp_path: Path, suffix: str) -> None:
    # The temporary file's name is longer than the final one and too long for the file system.
    path = tmp_path / ("n" * (255 - len(suffix)) + suffix)
    with pytest.raises(SinkError, match="File name too long; choose a shorter name"):
        open_sink(path, run_metadata())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_cannot_grow_leaves_the_earlier_one(
    tmp_path: Path, small_files: None, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_text("before")
    sink = open_sink(path, run_metadata(dim=1024))
    with pytest.raises(SinkError, match=rf"cannot write '.*out{suffix}': File too large; raise"):
        write_all(sink, [record(index, dim=1024) for index in range(100)])
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_the_earlier_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_text("before")
    sink = open_sink(path, run_metadata())
    # The device that is always full takes the place of the temporary file.
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, sink._file.stream.fileno())  # type: ignore[attr-defined]
    os.close(full)
    with pytest.raises(SinkError, match="No space left on device; free some space"):
        write_all(sink, [record()])
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_appears_before_close(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    sink = open_sink(path, run_metadata())
    sink.write(record())
    assert not path.exists()
    sink.close()
    assert path.stat().st_size > 0
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_run_leaves_the_earlier_file(
    tmp_path: Path, suffix: str, error: type[BaseException]
) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_text("before")

    def records() -> Iterator[Record]:
        yield record()
        raise error("stop")

    with pytest.raises(error, match="stop"):
        write_all(open_sink(path, run_metadata()), records())
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target.jsonl", tmp_path / "link.jsonl"
    target.write_text("before")
    link.symlink_to(target)
    file = AtomicFile(link)
    file.stream.write(b"after")
    file.commit()
    assert link.is_symlink()
    assert target.read_text() == "after"
