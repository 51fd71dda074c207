# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import pairwise

from sensebind.metrics.times import STAGES, WindowTimes
from sensebind.types import Modality


def window_times(closable_ns: int | None = 1_050) -> WindowTimes:
    return WindowTimes(
        "/imu",
        Modality.IMU,
        grid_ns=1_000,
        stamp_ns=990,
        closable_ns=closable_ns,
        received_ns=10,
        closed_ns=11,
        prepare_begin_ns=14,
        prepared_ns=20,
        infer_begin_ns=25,
        inferred_ns=45,
        published_ns=46,
    )


def test_spans_cover_the_service_time_without_gaps() -> None:
    times = window_times()
    spans = list(times.spans())
    assert [name for name, _, _ in spans] == list(STAGES)
    assert sum(end - begin for _, begin, end in spans) == times.service_ns == 36
    assert all(left[2] == right[1] for left, right in pairwise(spans))


def test_waiting_is_before_preprocessing_and_before_the_engine() -> None:
    assert window_times().wait_ns == 3 + 5


def test_delay_and_age_are_in_the_reference_clock() -> None:
    times = window_times()
    assert times.closing_delay_ns == 50
    assert times.age_ns == 1_050 + 36 - 990


def test_a_recording_has_neither_delay_nor_age() -> None:
    times = window_times(closable_ns=None)
    assert times.closing_delay_ns is None
    assert times.age_ns is None
