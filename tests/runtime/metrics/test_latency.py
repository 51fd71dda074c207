# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from sensebind.metrics.histogram import RELATIVE_ERROR
from sensebind.metrics.latency import QUANTITIES, LatencyStats, merged
from tests.support.timing import MS, embedding, window_times


def observed(stats: LatencyStats, **how: object) -> None:
    times = window_times(**how)  # type: ignore[arg-type]
    stats.observe(embedding(times), times)


def test_each_stage_is_measured() -> None:
    stats = LatencyStats()
    for _ in range(3):
        observed(stats, closable_ns=1_020 * MS)
    summaries = stats.streams()["/imu"].summaries()
    assert tuple(summaries) == QUANTITIES
    expected_ms = {
        "closing_delay": 20, "close": 0.1, "pend": 0.2, "preprocess": 1.0, "wait": 0.5,
        "infer": 4.0, "publish": 0.2, "service": 6.0, "age": 20 + 6.0 + 5,
    }  # fmt: skip
    for quantity, summary in summaries.items():
        assert summary.count == 3
        assert summary.max_ms == pytest.approx(expected_ms[quantity], rel=1e-6)
        assert summary.p50_ms == pytest.approx(expected_ms[quantity], rel=RELATIVE_ERROR)


def test_of_a_recording_delay_and_age_are_not_told() -> None:
    stats = LatencyStats()
    observed(stats)
    assert set(QUANTITIES) - set(stats.streams()["/imu"].summaries()) == {"closing_delay", "age"}


def test_streams_are_apart() -> None:
    stats = LatencyStats()
    observed(stats)
    observed(stats, stream="/camera", stages_ms=(1, 1, 1, 1, 1, 1))
    observed(stats, stream="/camera", stages_ms=(2, 2, 2, 2, 2, 2))
    streams = stats.streams()
    assert streams["/imu"].summaries()["service"].count == 1
    assert streams["/camera"].summaries()["service"].max_ms == 12


def test_recent_windows_are_told_once_and_remembered() -> None:
    stats = LatencyStats()
    observed(stats)
    assert stats.take_recent()["/imu"].summaries()["service"].count == 1
    assert stats.take_recent() == {}
    observed(stats, stages_ms=(1, 1, 1, 1, 1, 15))
    assert stats.streams()["/imu"].summaries()["service"].max_ms == 20
    assert stats.take_recent()["/imu"].summaries()["service"].min_ms == 20
    assert stats.streams()["/imu"].summaries()["service"].count == 2


def test_merging_leaves_the_parts_alone() -> None:
    one, two = LatencyStats(), LatencyStats()
    observed(one)
    observed(two)
    parts = [one.streams(), two.streams()]
    assert merged(parts)["/imu"].summaries()["infer"].count == 2
    assert merged(parts)["/imu"].summaries()["infer"].count == 2
