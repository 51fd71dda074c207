# SPDX-License-Identifier: Apache-2.0
"""Snapshots, and who takes them: lines of a file and the table."""

from __future__ import annotations

import io
import os
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest
from rich.console import Console

from sensebind.errors import SinkError
from sensebind.metrics import process
from sensebind.metrics.lines import SnapshotLines
from sensebind.metrics.process import peak_resident_bytes, resident_bytes
from sensebind.metrics.snapshot import RunStats, Snapshot, StreamCounts
from sensebind.metrics.table import live_table, snapshot_table
from sensebind.metrics.ticker import Ticker
from tests.support.timing import MS, embedding, window_times

if TYPE_CHECKING:
    from pathlib import Path


class Run:
    """A run whose counts the test sets."""

    def __init__(self) -> None:
        self.counts = {"/imu": StreamCounts(modality="imu", embedded=0)}
        self.queues = {"in /imu": 0}
        self.stats = RunStats(lambda: self.counts, lambda: self.queues)

    def windows(self, count: int, **dropped: int) -> None:
        before = self.counts["/imu"].embedded
        for _ in range(count):
            times = window_times(closable_ns=1_020 * MS)
            self.stats.observe(embedding(times), times)
        self.counts = {
            "/imu": StreamCounts(modality="imu", embedded=before + count, dropped=dropped)
        }


def test_a_snapshot_tells_all_and_what_is_new() -> None:
    run = Run()
    run.windows(5)
    first = run.stats.snapshot().streams["/imu"]
    assert (first.embedded, first.latency["service"].count, first.recent["service"].count) == (
        5,
        5,
        5,
    )
    assert first.windows_per_s > 0
    run.windows(2, latest=3)
    run.queues["in /imu"] = 40
    snapshot = run.stats.snapshot()
    second = snapshot.streams["/imu"]
    assert (second.embedded, second.latency["service"].count, second.recent["service"].count) == (
        7,
        7,
        2,
    )
    assert second.dropped == {"latest": 3}
    assert snapshot.queues == {"in /imu": 40}
    third = run.stats.snapshot().streams["/imu"]
    assert (third.windows_per_s, third.recent) == (0, {})


def test_memory_of_this_process_is_told() -> None:
    held = bytearray(os.urandom(1)) * (64 << 20)
    resident = resident_bytes()
    assert len(held) < resident <= peak_resident_bytes() * 1.05
    snapshot = Run().stats.snapshot()
    assert snapshot.resident_bytes > len(held)
    assert snapshot.cpu_share >= 0


def test_without_proc_the_peak_stands_for_the_present(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process, "_PAGES", tmp_path / "none")
    assert resident_bytes() == peak_resident_bytes() > 1 << 20


def test_lines_read_back_as_snapshots(tmp_path: Path) -> None:
    path, run = tmp_path / "stats.jsonl", Run()
    with SnapshotLines(path) as lines:
        run.windows(3)
        lines.take(run.stats.snapshot())
        assert path.read_text().count("\n") == 1  # at once
        run.windows(1)
        lines.take(run.stats.snapshot())
    read = [msgspec.json.decode(line, type=Snapshot) for line in path.read_bytes().splitlines()]
    assert [snapshot.streams["/imu"].embedded for snapshot in read] == [3, 4]


def test_lines_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        SinkError, match=r"cannot write statistics to '.*none/a.jsonl': No such file"
    ):
        SnapshotLines(tmp_path / "none" / "a.jsonl")


def test_the_ticker_takes_one_at_the_end_and_outlives_its_takers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    taken: list[Snapshot] = []

    def broken(_snapshot: Snapshot) -> None:
        raise SinkError("the disk is full")

    run = Run()
    with Ticker(run.stats.snapshot, [broken, taken.append], interval_s=3600) as ticker:
        ticker.tick()
        run.windows(4)
    assert [snapshot.streams["/imu"].embedded for snapshot in taken] == [0, 4]
    assert caplog.messages == ["the disk is full"]


def test_the_ticker_ticks_by_itself() -> None:
    ticked = threading.Event()
    with Ticker(Run().stats.snapshot, [lambda _snapshot: ticked.set()], interval_s=0.001):
        assert ticked.wait(20)


def shown(snapshot: Snapshot) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(snapshot_table(snapshot))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_has_stages_percentiles_and_drops() -> None:
    run = Run()
    run.windows(3, latest=7, deadline=0)
    run.queues["in /imu"] = 40
    lines = shown(run.stats.snapshot()).splitlines()
    assert lines[0].split() == [
        "stream", "windows", "per", "s", "close", "pend", "preprocess", "wait", "infer", "publish",
        "service", "p50", "p95", "p99", "max", "closing", "age",
    ]  # fmt: skip
    cells = lines[1].split()
    assert cells[:2] == ["/imu", "3"]
    assert cells[-1] == "31.0"
    assert float(cells[7]) == pytest.approx(4.0, rel=0.01)
    assert lines[2].strip() == "dropped: latest 7"
    assert "cores" in lines[-2]
    assert lines[-1].strip() == "waiting: in /imu 40"


def test_a_stream_without_windows_shows_dashes() -> None:
    assert shown(Run().stats.snapshot()).splitlines()[1].split()[-1] == "-"


def test_on_no_terminal_the_last_table_is_printed_once() -> None:
    console = Console(file=io.StringIO(), width=160)
    run = Run()
    with live_table(console) as take:
        for _ in range(3):
            run.windows(1)
            take(run.stats.snapshot())
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert text.count("/imu") == 1
    assert "/imu" in text
    assert text.splitlines()[1].split()[1] == "3"
