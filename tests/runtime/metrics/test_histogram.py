# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sensebind.metrics.histogram import RELATIVE_ERROR, Histogram, Summary

HOUR_NS = 3_600_000_000_000
durations = st.lists(
    st.one_of(st.integers(0, 300), st.integers(0, 10**7), st.integers(0, HOUR_NS)),
    min_size=1,
    max_size=300,
)


def filled(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def by_sorting(values: list[int], percent: float) -> int:
    rank = math.ceil(round(percent * len(values) / 100, 6))
    return sorted(values)[max(rank, 1) - 1]


@given(durations, st.sampled_from([0.0, 1.0, 50.0, 90.0, 95.0, 99.0, 99.9, 100.0]))
@example(list(range(128)), 50.0)
@example([127, 128, 129, 255, 256, 257], 50.0)
@example([7] * 99 + [10**9], 99.0)
def test_percentiles_are_those_of_sorting(values: list[int], percent: float) -> None:
    (found,) = filled(values).percentiles(percent)
    expected = by_sorting(values, percent)
    assert abs(found - expected) <= max(RELATIVE_ERROR * expected, 0.5)


def test_the_stated_error_is_the_least_that_holds() -> None:
    worst = 0.0
    for value in range(1, 4_000):
        histogram = filled([value, 10**6, 10**6])
        worst = max(worst, abs(histogram.percentiles(1)[0] - value) / value)
    assert RELATIVE_ERROR / 2 < worst <= RELATIVE_ERROR


@given(durations)
def test_count_sum_and_extremes_are_exact(values: list[int]) -> None:
    histogram = filled(values)
    assert histogram.count == len(values)
    assert histogram.sum_ns == sum(values)
    assert (histogram.min_ns, histogram.max_ns) == (min(values), max(values))


@given(durations, durations)
def test_merging_is_recording_both(left: list[int], right: list[int]) -> None:
    merged = filled(left)
    merged.merge(filled(right))
    assert merged.summary() == filled(left + right).summary()


def test_merging_nothing_changes_nothing() -> None:
    histogram = filled([-5, 3])
    before = histogram.summary()
    histogram.merge(Histogram())
    assert histogram.summary() == before
    empty = Histogram()
    empty.merge(histogram)
    assert empty.summary() == before


def test_an_empty_one_tells_zeros() -> None:
    assert Histogram().summary() == Summary(
        count=0, min_ms=0, mean_ms=0, p50_ms=0, p95_ms=0, p99_ms=0, max_ms=0
    )


def test_what_is_out_of_range_keeps_its_extremes() -> None:
    histogram = filled([-2_000_000, 100 * HOUR_NS])
    assert (histogram.min_ns, histogram.max_ns) == (-2_000_000, 100 * HOUR_NS)
    low, high = histogram.percentiles(50, 100)
    assert low == 0
    assert 2 * HOUR_NS < high <= 100 * HOUR_NS


def test_a_summary_is_plain_json_in_milliseconds() -> None:
    summary = filled([1_500_000] * 3).summary()
    assert msgspec.to_builtins(summary)["max_ms"] == 1.5
    assert summary.p50_ms == summary.p99_ms == pytest.approx(1.5, rel=RELATIVE_ERROR)
