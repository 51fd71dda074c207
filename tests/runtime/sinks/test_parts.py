# SPDX-License-Identifier: Apache-2.0
"""Live records: safe in parts while the run lasts, whole when it ends or is recovered."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import pytest

from sensebind.errors import InputError, SinkError
from sensebind.sinks import open_live_sink, open_sink, parts, recover
from sensebind.sinks.base import finishing
from sensebind.sinks.parquet import ParquetSink
from sensebind.sinks.parts import PartsSink, finish_removal, parts_folder, read_parts
from sensebind.sinks.reading import open_records
from tests.support.bundles import bundle_folder
from tests.support.processes import program
from tests.support.records import record, run_metadata
from tests.support.running import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sensebind.records import Record

__all__ = ["bundle_folder"]

LABELS = ("still", "driving")
SUFFIXES = [".parquet", ".jsonl", ".mcap"]
RECORDS = [record(index, scores=[0.25, 0.75], labels=LABELS) for index in range(40)]
METADATA = run_metadata(labels=LABELS)


def expected(path: Path, records: Sequence[Record] = RECORDS) -> bytes:
    with finishing(open_sink(path, METADATA)) as sink:
        for each in records:
            sink.write(each)
    return path.read_bytes()


def interrupted(path: Path, pieces: Sequence[Sequence[Record]]) -> None:
    """Leave behind what a run that was killed after some parts leaves."""
    sink = PartsSink(path, METADATA, open_sink, part_s=3600)
    for piece in pieces:
        for each in piece:
            sink.write(each)
        sink._write_part()
    sink.abort()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_closed_run_is_what_one_write_would_give(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"live{suffix}"
    with finishing(PartsSink(path, METADATA, open_sink, part_s=0.01)) as sink:
        for each in RECORDS:
            sink.write(each)
    assert path.read_bytes() == expected(tmp_path / f"whole{suffix}")
    assert not parts_folder(path).exists()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_interrupted_run_is_recovered(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"live{suffix}"
    path.write_text("before")
    interrupted(path, [RECORDS[:7], RECORDS[7:8], RECORDS[8:]])
    assert path.read_text() == "before"
    assert len(read_parts(path)) == 3
    assert recover(path) == len(RECORDS)
    assert path.read_bytes() == expected(tmp_path / f"whole{suffix}")
    assert not parts_folder(path).exists()


def test_records_are_in_a_part_without_another_write(tmp_path: Path) -> None:
    path = tmp_path / "live.parquet"
    sink = PartsSink(path, METADATA, open_sink, part_s=0.01)
    sink.write(RECORDS[0])
    deadline = time.monotonic() + 30
    while not list(parts_folder(path).glob("*.parquet")) and time.monotonic() < deadline:
        sink._ended.wait(0.01)
    (part,) = read_parts(path)
    assert part.count == 1
    sink.close()


def test_an_unfinished_run_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "live.parquet"
    interrupted(path, [RECORDS[:3]])
    with pytest.raises(InputError, match=r"holds a run that was interrupted; .* sensebind recover"):
        open_live_sink(path, METADATA)
    assert recover(path) == 3
    open_live_sink(path, METADATA).abort()
    assert not parts_folder(path).exists()


def test_a_crash_while_the_parts_are_removed_harms_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "live.parquet"
    interrupted(path, [RECORDS[:7], RECORDS[7:]])
    remove = shutil.rmtree

    def killed(folder: Path, *, ignore_errors: bool) -> None:
        for part in sorted(folder.glob("*.parquet"))[:1]:
            part.unlink()
            raise KeyboardInterrupt("killed")
        remove(folder, ignore_errors=ignore_errors)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt, match="killed"):
            recover(path)
    with suppress(InputError):
        recover(path)
    assert path.read_bytes() == expected(tmp_path / "whole.parquet")
    assert finish_removal(path)
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "whole.parquet"]


def test_a_run_that_goes_on_is_not_recovered_nor_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "live.parquet"
    sink = PartsSink(path, METADATA, open_sink, part_s=3600)
    for begin in (0, 20):
        for each in RECORDS[begin : begin + 20]:
            sink.write(each)
        sink._write_part()
        with pytest.raises(InputError, match=r"live.parquet.parts' is being written; end the"):
            recover(path)
        with pytest.raises(InputError, match="is being written"):
            open_live_sink(path, METADATA)
    sink.close()
    assert path.read_bytes() == expected(tmp_path / "whole.parquet")


def test_a_sink_that_failed_is_opened_again_behind_its_own_parts(tmp_path: Path) -> None:
    path = tmp_path / "live.parquet"
    interrupted(path, [RECORDS[:7], RECORDS[7:9]])
    with finishing(open_live_sink(path, METADATA, resume=True)) as sink:
        for each in RECORDS[9:]:
            sink.write(each)
    assert path.read_bytes() == expected(tmp_path / "whole.parquet")


def test_no_more_wait_for_a_disk_that_hangs_than_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_MOST_WAITING", 3)
    answers = threading.Event()
    write = ParquetSink.write

    def hanging(self: ParquetSink, each: Record) -> None:
        assert answers.wait(PATIENCE_S)
        write(self, each)

    path = tmp_path / "live.parquet"
    sink = PartsSink(path, METADATA, open_sink, part_s=0.001)

    def write_all() -> None:
        for each in RECORDS:
            sink.write(each)

    with finishing(sink):
        monkeypatch.setattr(ParquetSink, "write", hanging)
        writer = threading.Thread(target=write_all)
        writer.start()
        writer.join(0.2)  # it would have ended by then
        answers.set()
        writer.join(PATIENCE_S)
        monkeypatch.undo()
        sink._end()
        sink._write_part()
        assert max(part.count for part in read_parts(path)) <= 3
    assert path.read_bytes() == expected(tmp_path / "whole.parquet")


def test_whatever_ends_the_writing_thread_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(ParquetSink, "write", fail)
    sink = PartsSink(tmp_path / "live.parquet", METADATA, open_sink, part_s=0.001)
    sink.write(RECORDS[0])
    sink._thread.join(PATIENCE_S)
    with pytest.raises(RuntimeError, match="a bug"):
        sink.write(RECORDS[1])
    sink.abort()
    assert sink.unwritten == (RECORDS[0],)
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_recover_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no parts to recover in '.*live.parquet.parts'"):
        recover(tmp_path / "live.parquet")


def test_a_failing_part_is_told_and_loses_no_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "live.parquet"
    sink = PartsSink(path, METADATA, open_sink, part_s=3600)
    sink.write(RECORDS[0])
    sink._write_part()

    def full(*_: object) -> None:
        raise SinkError("cannot write: No space left on device")

    sink.write(RECORDS[1])
    with monkeypatch.context() as patch:
        patch.setattr(ParquetSink, "write", full)
        with pytest.raises(SinkError, match="No space left"):
            sink.close()
        sink.abort()
    assert sink.unwritten == (RECORDS[1],)
    assert recover(path) == 1


def test_parts_of_another_run_s_space_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "live.parquet"
    interrupted(path, [RECORDS[:1]])
    other = msgspec.structs.replace(METADATA, space_id="d" * 64)
    with finishing(open_sink(tmp_path / "x.parquet", other)) as sink:
        sink.write(RECORDS[1])
    (tmp_path / "x.parquet").rename(parts_folder(path) / "00000009.parquet")
    with pytest.raises(InputError, match="its parts are of different spaces"):
        recover(path)
    assert len(read_parts(path)) == 2


PROGRAM = """
import sys, threading, time
import numpy as np
import sensebind as sb
from sensebind.sinks import open_live_sink
from sensebind.labelling import labelled
from sensebind.types import SampleBlock
config = sb.PipelineConfig(streams={"imu": sb.StreamConfig(modality="imu", hop_s=0.05)})
rest = threading.Event()
with sb.Bundle.load(sys.argv[1]) as bundle, sb.Pipeline(bundle, config) as pipe:
    sink = open_live_sink(sys.argv[2], pipe.metadata())
    rng = np.random.default_rng(0)
    print("begun", flush=True)
    for n in range(100_000):
        stamps = np.arange(n * 5, n * 5 + 5) * 10_000_000
        pipe.push(SampleBlock("imu", stamps.astype(np.int64), rng.standard_normal((5, 6))))
        for embedding in pipe.poll():
            sink.write(labelled(embedding, None))
            print(time.monotonic_ns(), embedding.vector.tobytes().hex(), flush=True)
        rest.wait(0.02)
"""


def killed_after(count: int, bundle: Path, out: Path) -> tuple[int, list[tuple[int, str]]]:
    """Kill the paced program when it has written `count` records and named a part.

    Returns:
        when it was killed, and the instant and vector of each record it says it wrote.
    """
    command = [sys.executable, "-c", PROGRAM, str(bundle), str(out)]
    with program(command, stdout=subprocess.PIPE) as writing:
        assert writing.stdout is not None
        assert writing.stdout.readline() == "begun\n"
        lines = [writing.stdout.readline() for _ in range(count)]
        while not list(parts_folder(out).glob("*.parquet")):
            lines.append(writing.stdout.readline())
            assert lines[-1], "it ended before"
        killed_ns = time.monotonic_ns()
        writing.kill()
        lines += writing.stdout.read().splitlines()
        assert writing.wait() == -signal.SIGKILL
    written = [line.split() for line in lines]
    return killed_ns, [(int(line[0]), line[1]) for line in written if len(line) == 2]


def recovered(out: Path) -> list[str]:
    count = recover(out)
    vectors = [r.embedding.vector.tobytes().hex() for r in open_records(out).records()]
    assert len(vectors) == count
    return vectors


def test_what_a_killed_program_had_in_parts_is_whole(bundle_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    out.write_text("before")
    _, written = killed_after(1, bundle_folder, out)
    assert out.read_text() == "before"
    vectors = recovered(out)
    # The last line may be missing or cut although its record was kept.
    complete = [vector for _, vector in written[:-1]]
    assert vectors[: len(complete)] == complete[: len(vectors)]
    assert vectors


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_a_killed_program_loses_at_most_two_seconds(
    bundle_folder: Path, tmp_path: Path, seed: int
) -> None:
    out = tmp_path / "out.parquet"
    count = random.Random(seed).randrange(120, 300)
    killed_ns, written = killed_after(count, bundle_folder, out)
    old = [vector for at_ns, vector in written if at_ns < killed_ns - 2 * 10**9]
    assert old
    assert recovered(out)[: len(old)] == old
