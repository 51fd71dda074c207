# SPDX-License-Identifier: Apache-2.0
"""The live benchmarks' arithmetic, and that their streams are what they say."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest

from benchmarks import latency
from benchmarks._synthetic import SyntheticSource
from benchmarks.hop_cost import PARTS, Stream, line, measure
from sensebind.config import StreamConfig
from sensebind.types import FrameBlock, Modality, SampleBlock, UniformBlock
from tests.support.timing import embedding, window_times

SELECTED = {
    "/imu": StreamConfig(modality=Modality.IMU),
    "/mic": StreamConfig(modality=Modality.AUDIO),
    "/depth": StreamConfig(modality=Modality.DEPTH),
}


def test_synthetic_senses_come_at_their_rates_in_order() -> None:
    blocks = list(islice(SyntheticSource().blocks(SELECTED, "stamp"), 515 * 2))
    stamps = [block.first_ns for block in blocks]
    assert stamps == sorted(stamps)
    assert 1.9e9 < stamps[-1] - stamps[0] <= 2.1e9
    assert sum(isinstance(block, SampleBlock) for block in blocks) == pytest.approx(800, abs=5)
    assert sum(isinstance(block, FrameBlock) for block in blocks) == pytest.approx(30, abs=1)
    sound = [block for block in blocks if isinstance(block, UniformBlock)]
    assert np.diff([block.stamp_ns for block in sound]).tolist() == [10_000_000] * (len(sound) - 1)


def test_only_the_selected_senses_come() -> None:
    chosen = {"/mic": SELECTED["/mic"]}
    blocks = islice(SyntheticSource().blocks(chosen, "stamp"), 20)
    assert {block.stream for block in blocks} == {"/mic"}


def test_work_is_preprocessing_and_inference_of_one_window() -> None:
    meter = latency.WorkMeter()
    with meter.measuring():
        times = window_times(stages_ms=(0.1, 0.2, 1.0, 0.5, 4.0, 0.2))
        meter.observe(embedding(times), times)
    meter.observe(embedding(times), times)
    assert meter.work.count == 1
    assert meter.work.summary().max_ms == 5.0
    assert meter.service().max_ms == 6.0


@pytest.mark.parametrize(("busy_runs", "expected"), [(0, 1), (2, 3), (9, 5)])
def test_runs_on_a_busy_machine_are_repeated_and_all_told(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    busy_runs: int,
    expected: int,
) -> None:
    def run(*_: object) -> dict[str, Any]:
        nonlocal busy_runs
        busy_runs -= 1
        p99 = {"p99_ms": 1.0}
        return {
            "windows": 9, "dropped": 0, "service": p99, "preprocess_and_infer": p99, "timer": p99,
            "added_p99_ms": 0.0, "allowed_p99_ms": 6.0, "met": True,
            "machine_too_busy": busy_runs >= 0,
        }  # fmt: skip

    monkeypatch.setattr(latency, "measure", run)
    done = latency.runs(None, 9)  # type: ignore[arg-type]
    assert len(done) == expected
    assert capsys.readouterr().out.count("allowed 6.00 ms") == expected


@pytest.mark.parametrize("modality", [Modality.AUDIO, Modality.IMU])
def test_each_hop_makes_one_windows_features(
    modality: Modality, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Stream(modality, 2.0)
    prepared = 0
    original = stream._path.prepare

    def counted(window: Any) -> Any:
        nonlocal prepared
        prepared += 1
        return original(window)

    monkeypatch.setattr(stream._path, "prepare", counted)
    hop_us, features_us, arithmetic_us = stream.hops(20)
    assert prepared == 20
    assert arithmetic_us <= features_us <= hop_us


def test_hop_costs_are_told_by_length() -> None:
    figures = measure(Modality.IMU, rounds=2)
    assert set(figures) == set(PARTS)
    for part, goal in PARTS.items():
        told = line(Modality.IMU, part, figures[part])
        assert "windows of 2 s " in told
        verdict = "met" if max(figures[part]["ratio"].values()) <= goal else "MISSED"
        assert told.endswith(f"at most {goal:g}: {verdict}")
