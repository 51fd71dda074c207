# SPDX-License-Identifier: Apache-2.0
"""`sensebind bench` from the outside."""

from __future__ import annotations

import hashlib
import math
import re
import sys
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from sensebind.bench.results import BenchResult, Comparison
from sensebind.metrics.times import STAGES
from tests.support.bags import imu, write_mcap

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.runtime.cli.conftest import Ran

    Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def quick() -> tuple[object, ...]:
    """Options of a short measurement."""
    return ("--windows", 30, "--trial", 0.05, "--bound", 60_000)


def test_it_tells_what_ran_where_and_how_fast(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path, quick: tuple[object, ...]
) -> None:
    out = tmp_path / "bench.json"
    ran = run("bench", recording, "--bundle", bundle_folder, *quick, "--json", "--out", out)
    assert ran.code == 0, ran.err
    result = msgspec.json.decode(ran.out, type=BenchResult)
    assert msgspec.json.decode(out.read_bytes(), type=BenchResult) == result
    assert result.source_sha256 == hashlib.sha256(recording.read_bytes()).hexdigest()
    assert result.versions["numpy"] == np.__version__
    assert result.machine.cores >= 1
    assert "first 100 windows" in result.warm_up
    assert set(result.hops_s) == {"/imu", "/camera"}
    assert "live at " in ran.err


def test_the_replay_measures_every_stage_of_every_window(
    run: Run, recording: Path, bundle_folder: Path, quick: tuple[object, ...]
) -> None:
    ran = run("bench", recording, "--bundle", bundle_folder, *quick, "--json")
    result = msgspec.json.decode(ran.out, type=BenchResult)
    replay = result.replay
    assert replay.windows == 30
    assert sum(stream["service"].count for stream in replay.latency.values()) == 30
    assert set(replay.latency["/imu"]) == {*STAGES, "service"}
    assert replay.windows_per_s == pytest.approx(30 / replay.seconds)
    assert replay.timer.count > 0


def test_the_search_ends_with_the_largest_that_was_sustained(
    run: Run, recording: Path, bundle_folder: Path, quick: tuple[object, ...]
) -> None:
    ran = run("bench", recording, "--bundle", bundle_folder, *quick, "--json")
    live = msgspec.json.decode(ran.out, type=BenchResult).live
    assert live is not None
    sustained = [trial.factor for trial in live.trials if trial.sustained]
    assert live.factor == max(sustained, default=None)
    for trial in live.trials:
        in_time = max(trial.service_p99_ms, trial.behind_ms) <= live.bound_ms
        assert trial.sustained == (trial.windows > 0 and trial.dropped == 0 and in_time)


def test_people_get_tables(run: Run, recording: Path, bundle_folder: Path) -> None:
    ran = run("bench", recording, "--bundle", bundle_folder, "--windows", 30, "--trial", 0)
    assert ran.code == 0, ran.err
    assert " windows per second, " in ran.out
    lines = ran.out.splitlines()
    (head,) = [line for line in lines if line.startswith("stream ")]
    assert head.split() == ["stream", "time", "of", "count", "p50", "p95", "p99", "max"]
    assert any(line.split()[:2] == ["/imu", "infer"] for line in lines)
    assert any(line.startswith("(a bare timer)") for line in lines)
    assert "live" not in ran.out.replace("each live trial", "")


def test_the_largest_sustainable_run_is_shown(
    run: Run, recording: Path, bundle_folder: Path, quick: tuple[object, ...]
) -> None:
    ran = run("bench", recording, "--bundle", bundle_folder, *quick)
    assert "\nlive at " in ran.out or "was sustained" in ran.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--windows", 0), "0 windows, trials of 5.0 s .* expected at least 1 window"),
        (("--trial", -1), "trials of -1.0 s"),
        (("--bound", math.nan), "a bound of nan ms"),
        (("--out", "none/a.json"), "there is no folder '.*none'"),
        (("--hop", -1), "--hop is -1.0, expected seconds from 0.001"),
    ],
)
def test_bad_usage(
    run: Run,
    recording: Path,
    bundle_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[object, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run("bench", recording, "--bundle", bundle_folder, *options)
    assert ran.code == 2
    assert re.search(said, ran.err)


def test_a_recording_that_gives_nothing_is_refused(
    run: Run, bundle_folder: Path, tmp_path: Path
) -> None:
    messages = [imu("/imu", 10**9 + i * 10**7, [0, 0, 9.8, 0, 0, 0]) for i in range(20)]
    short = write_mcap(tmp_path / "short.mcap", messages)
    ran = run("bench", short, "--bundle", bundle_folder)
    assert ran.code == 2
    assert "no window of short.mcap became an embedding: none was complete, so give" in ran.err


def test_several_backends_are_compared(
    run: Run,
    recording: Path,
    bundle_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    out = tmp_path / "bench.json"
    options = ("--bundle", bundle_folder, "--windows", 30, "--trial", 0, "--out", out)
    ran = run("bench", recording, "--backend", "onnxruntime,openvino,auto", *options)
    assert ran.code == 0, ran.err
    found = msgspec.json.decode(out.read_bytes(), type=Comparison)
    assert [result.backend for result in found.results] == ["onnxruntime", "onnxruntime"]
    assert found.least_cosines["auto"] == pytest.approx({"/camera": 1, "/imu": 1}, abs=1e-6)
    assert list(found.not_run) == ["openvino"]
    assert "sensebind[openvino]" in found.not_run["openvino"]
    assert re.search(r"/imu: infer, p50 ms +[\d.]+ +[\d.]+\n", ran.out)
    assert re.search(r"/imu: least cosine to the first +1.00000 +1.00000\n", ran.out)
    assert "openvino: NOT RUN: " in ran.out


def test_where_no_backend_runs_the_reason_is_told(
    run: Run, recording: Path, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    ran = run("bench", recording, "--bundle", bundle_folder, "--backend", "openvino,openvino")
    assert ran.code == 2
    assert "sensebind[openvino]" in ran.err
    ran = run("bench", recording, "--bundle", bundle_folder, "--backend", "onnxruntime,cuda")
    assert ran.code == 2
    assert "--backend is 'cuda', expected one of" in ran.err
