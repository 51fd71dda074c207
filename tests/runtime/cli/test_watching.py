# SPDX-License-Identifier: Apache-2.0
"""What `sensebind replay` shows of a run besides its result."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from sensebind.metrics.snapshot import Snapshot
from sensebind.metrics.times import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.runtime.cli.conftest import Ran

    Run = Callable[..., Ran]


@pytest.fixture
def replay(run: Run, recording: Path, bundle_folder: Path, tmp_path: Path) -> Run:
    """Replay the recording with further options."""

    def call(*options: object) -> Ran:
        out = tmp_path / "out.jsonl"
        return run("replay", recording, "--bundle", bundle_folder, "--out", out, "--json", *options)

    return call


def test_the_table_is_on_stderr_and_counts_every_window(replay: Run) -> None:
    ran = replay("--stats")
    assert ran.code == 0, ran.err
    for stream, report in ran.json["report"]["streams"].items():
        told = f"{stream}: {report['modality']}, {report['embedded']} windows, "
        assert told in ran.err
    assert ran.err.count("prep") == 1


def test_the_last_line_of_statistics_is_the_whole_run(replay: Run, tmp_path: Path) -> None:
    lines = tmp_path / "stats.jsonl"
    ran = replay("--stats-out", lines)
    last = msgspec.json.decode(lines.read_bytes().splitlines()[-1], type=Snapshot)
    for stream, report in ran.json["report"]["streams"].items():
        told = last.streams[stream]
        assert told.embedded == told.latency["service"].count == report["embedded"] > 0
        assert set(told.latency) == {*STAGES, "service"}
    assert sum(last.queues.values()) == 0


def test_the_trace_holds_every_window(replay: Run, tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    ran = replay("--trace", trace)
    events = json.loads(trace.read_bytes())["traceEvents"]
    groups = [e for e in events if e["ph"] == "b" and e["name"].endswith(" window")]
    assert len(groups) == ran.json["embeddings"]


def test_the_result_does_not_depend_on_who_watches(replay: Run, tmp_path: Path) -> None:
    replay()
    alone = (tmp_path / "out.jsonl").read_bytes()
    replay("--stats", "--stats-out", tmp_path / "s.jsonl", "--trace", tmp_path / "t.json")
    assert (tmp_path / "out.jsonl").read_bytes() == alone


def test_windows_and_scores_reach_rerun(replay: Run, tmp_path: Path) -> None:
    pytest.importorskip("rerun", reason="rerun-sdk is not installed: it is large")
    from rerun.chunk import RrdReader

    shown = tmp_path / "run.rrd"
    ran = replay("--rerun", shown, "--prompts", "a cat,a dog")
    assert ran.code == 0, ran.err
    rows: dict[str, int] = {}
    for chunk in RrdReader(shown).stream().to_chunks():
        if not chunk.is_static:
            rows[chunk.entity_path] = rows.get(chunk.entity_path, 0) + chunk.num_rows
    streams = ran.json["report"]["streams"]
    for stream in ("/imu", "/camera"):
        assert rows[f"{stream}/scores"] == streams[stream]["embedded"]
    assert rows["/camera/picture"] == streams["/camera"]["embedded"]
    assert rows["/imu/acceleration"] > 100


def test_without_rerun_its_extra_is_named(
    replay: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rerun", None)
    ran = replay("--rerun", tmp_path / "run.rrd")
    assert ran.code == 2
    assert "pip install 'sensebind[viz]'" in ran.err


@pytest.mark.parametrize("option", ["--stats-out", "--trace", "--rerun"])
def test_files_that_cannot_be_written_are_named_before_any_work(
    replay: Run, tmp_path: Path, option: str
) -> None:
    ran = replay(option, tmp_path / "none" / "file")
    assert ran.code == 2
    assert "there is no folder" in ran.err
    assert not list(tmp_path.iterdir())
