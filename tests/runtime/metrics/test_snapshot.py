# SPDX-License-Identifier: Apache-2.0
"""Snapshots, and who takes them: lines of a file and the table."""

from __future__ import annotations

import io
import os
import re
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest
from rich.console import Console

from sensebind.errors import SinkError
from sensebind.metrics import process
from sensebind.metrics.lines import SnapshotLines
from sensebind.metrics.process import peak_resident_bytes, resident_bytes
from sensebind.metrics.snapshot import ClockState, RunStats, Snapshot, StreamCounts
from sensebind.metrics.table import live_table, table_lines
from sensebind.metrics.ticker import Ticker
from tests.support.timing import MS, embedding, window_times

if TYPE_CHECKING:
    from pathlib import Path


class Run:
    """A run whose counts the test sets."""

    def __init__(self) -> None:
        self.counts = {"/imu": StreamCounts(modality="imu", embedded=0)}
        self.queues = {"in /imu": 0}
        self.clocks: dict[str, ClockState] = {}
        self.stats = RunStats(lambda: self.counts, lambda: self.queues, lambda: self.clocks)

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


@pytest.mark.parametrize(("anew", "kept"), [(True, b""), (False, b"{}\n")])
def test_lines_begin_anew_or_go_on(tmp_path: Path, anew: bool, kept: bytes) -> None:
    path = tmp_path / "stats.jsonl"
    path.write_bytes(b"{}\n")
    with SnapshotLines(path, anew=anew) as lines:
        lines.take(Run().stats.snapshot())
    assert path.read_bytes().startswith(kept + b'{"')
    assert path.read_bytes().count(b"\n") == 1 + len(kept.splitlines())


def test_lines_go_on_in_a_file_that_is_rotated(tmp_path: Path) -> None:
    path, run = tmp_path / "stats.jsonl", Run()
    with SnapshotLines(path) as lines:
        lines.take(run.stats.snapshot())
        os.truncate(path, 0)  # as logrotate's copytruncate does
        lines.take(run.stats.snapshot())
    assert path.read_bytes()[:1] == b"{"


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


def test_the_table_has_stages_percentiles_and_losses() -> None:
    run = Run()
    run.windows(3, latest=7, deadline=0)
    run.queues["in /imu"] = 40
    headings, stream, cells, process_line, waiting = table_lines(run.stats.snapshot())
    assert headings.split() == [
        "close", "pend", "prep", "wait", "infer", "publ", "p50", "p95", "p99", "max", "delay",
        "age",
    ]  # fmt: skip
    assert re.fullmatch(r"/imu: imu, 3 windows, [\d.]+ per second; lost: latest 7", stream)
    expected = [0.1, 0.2, 1.0, 0.5, 4.0, 0.2, 6.0, 6.0, 6.0, 6.0, 20.0, 31.0]
    assert [float(cell) for cell in cells.split()] == pytest.approx(expected, rel=0.02)
    assert "cores" in process_line
    assert waiting == "waiting: in /imu 40"
    assert max(map(len, (headings, cells, process_line))) <= 80


def test_the_table_tells_how_well_clocks_are_known() -> None:
    run = Run()
    known = {"drift_ppm": -12.34, "drift_uncertainty_ppm": 3.0, "spread_ms": 0.456}
    run.clocks = {
        "samples of mic": ClockState(observations=900, jumps=0, **known),
        "hardware": ClockState(observations=900, jumps=2, **known),
        "steady": ClockState(observations=0, jumps=0, **known),
    }
    assert table_lines(run.stats.snapshot())[-3:] == [
        "clock samples of mic: -12.3 ± 3.0 ppm, messages wait 0.46 ms",
        "clock hardware: -12.3 ± 3.0 ppm, messages wait 0.46 ms, set 2 times",
        "clock steady: not seen yet",
    ]


def test_a_stream_without_windows_shows_dashes() -> None:
    assert table_lines(Run().stats.snapshot())[2].split() == ["-"] * 12


@pytest.mark.parametrize(
    ("delay_ms", "told"),
    [(0.123, "0.12"), (-45.6, "-45.6"), (1234.5, "1234"), (65_000, "65s"), (7_200_000, "2h"),
     (1e14, "-")],
)  # fmt: skip
def test_long_times_keep_to_their_column(delay_ms: float, told: str) -> None:
    run = Run()
    times = window_times(grid_ns=0, closable_ns=round(delay_ms * MS))
    run.stats.observe(embedding(times), times)
    assert table_lines(run.stats.snapshot())[2].split()[-2] == told


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
    assert "3 windows" in text


def test_on_a_terminal_stdout_stays_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = io.StringIO()
    with live_table(Console(file=terminal, width=160, force_terminal=True)) as take:
        take(Run().stats.snapshot())
        print("a result")
    assert capsys.readouterr().out == "a result\n"
    assert "a result" not in terminal.getvalue()
    assert "/imu: imu, 0 windows" in terminal.getvalue()
