# SPDX-License-Identifier: Apache-2.0
"""Files of a service: named by time, begun anew, finished after a crash, removed when old."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import msgspec
import pytest

from sensebind.flow.incidents import Incident, Incidents
from sensebind.robot.config import OutputConfig
from sensebind.robot.outputs import (
    Outputs,
    finish_leftovers,
    finished_files,
    leftovers,
    remove_old,
    stamped,
)
from sensebind.sinks import open_live_sink
from sensebind.sinks.reading import open_records
from tests.support.records import record, run_metadata

METADATA = run_metadata()
OTHER = msgspec.structs.replace(METADATA, source="other")


@pytest.fixture(autouse=True)
def one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a test happens in one second of the wall clock."""
    now = time.struct_time((2026, 1, 2, 3, 4, 5, 0, 0, 0))
    monkeypatch.setattr(time, "gmtime", lambda: now)


def rows(path: Path) -> list[int]:
    return [r.embedding.grid_ns for r in open_records(path).records()]


def test_names_tell_the_time_and_are_new(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    names = []
    for ending in ("", ".parts", ".part", ""):
        names.append(stamped(path).name)
        (tmp_path / (names[-1] + ending)).touch()
    assert names == [f"a-20260102T030405Z{n}.parquet" for n in ("", "-1", "-2", "-3")]
    assert [file.name for file in finished_files(path)] == [names[0], names[3]]


def test_other_metadata_begin_another_file_and_no_record_is_lost(tmp_path: Path) -> None:
    config = OutputConfig(file=str(tmp_path / "a.parquet"), rotate_s=0)
    with Outputs(config, Incidents([])) as out:
        out.begin(METADATA, config)
        for index in range(3):
            out.publish(record(index))
        out.begin(OTHER, config)
        out.publish(record(3))
    files = finished_files(tmp_path / "a.parquet")
    assert [rows(file) for file in files] == [
        [record(i).embedding.grid_ns for i in range(3)],
        [record(3).embedding.grid_ns],
    ]
    assert [open_records(file).metadata.source for file in files] == [METADATA.source, "other"]
    assert (out.report.offered, out.report.written, out.report.lost) == (4, 4, 0)


def test_files_are_begun_anew_after_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    config = OutputConfig(file=str(tmp_path / "a.jsonl"), rotate_s=10, keep=2)
    with Outputs(config, Incidents([])) as out:
        out.begin(METADATA, config)
        for index in range(40):
            now[0] = float(index)
            out.publish(record(index))
    files = finished_files(tmp_path / "a.jsonl")
    assert 2 <= len(files) <= 4  # the last ones may be finished together
    remove_old(tmp_path / "a.jsonl", 2)
    lines = [len(f.read_text().splitlines()) for f in finished_files(tmp_path / "a.jsonl")]
    assert lines == [1 + 10, 1 + 10]


def test_without_an_output_nothing_is_written(tmp_path: Path) -> None:
    with Outputs(None, Incidents([])) as out:
        out.begin(METADATA, None)
        out.publish(record(0))
    assert list(tmp_path.iterdir()) == []


def test_what_a_crash_left_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    crashed = stamped(path)
    sink = open_live_sink(crashed, METADATA)
    sink.write(record(0))
    sink.abort()
    (tmp_path / "a-20250101T000000Z.parquet.parts").mkdir()
    damaged = tmp_path / "a-20250102T000000Z.parquet.parts"
    damaged.mkdir()
    (damaged / "0.parquet").write_bytes(b"damaged")
    (tmp_path / "b-20250101T000000Z.parquet.parts").mkdir()
    assert [p.name for p in leftovers(path)] == [
        "a-20250101T000000Z.parquet",
        "a-20250102T000000Z.parquet",
        crashed.name,
    ]
    told: list[str] = []
    finish_leftovers(leftovers(path), told.append)
    assert rows(crashed) == [record(0).embedding.grid_ns]
    assert "is left as it was interrupted" in told[0]
    assert told[1] == f"{crashed}: finished, 1 records of a run that was interrupted"
    assert leftovers(path) == [tmp_path / "a-20250102T000000Z.parquet"]


def test_nothing_but_a_draft_is_nothing_to_finish(tmp_path: Path) -> None:
    """What a service leaves that is killed within the first part, or while parts are removed."""
    parts = tmp_path / "a-20250101T000000Z.parquet.parts"
    done = tmp_path / "a-20250102T000000Z.parquet.parts.done"
    for folder in (parts, done):
        folder.mkdir()
    (parts / ".00000000.parquet.0123abcd.part").write_bytes(b"PAR1")
    (done / "00000007.parquet").write_bytes(b"PAR1")
    told: list[str] = []
    finish_leftovers(leftovers(tmp_path / "a.parquet"), told.append)
    assert told == []
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_gone_costs_records_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Incident] = []
    config = OutputConfig(file=str(tmp_path / "gone" / "a.parquet"), keep=1)

    def gone(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    for name in ("stat", "iterdir", "mkdir"):
        monkeypatch.setattr(Path, name, gone)
    with Outputs(config, Incidents(kept)) as out:
        out.begin(METADATA, config)
        out.publish(record(0))
    assert {incident.where for incident in kept} == {f"sink {config.file}"}
    assert (out.report.offered, out.report.lost) == (1, 1)
    assert leftovers(Path(config.file)) == []
