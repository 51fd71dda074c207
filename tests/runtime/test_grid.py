# SPDX-License-Identifier: Apache-2.0
"""Exact time arithmetic."""

from __future__ import annotations

import pytest

from sensebind.errors import InputError
from sensebind.grid import grid_offsets_ns, nanoseconds


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.1, 100_000_000), (1 / 3, 333_333_333), (1e-9, 1), (2, 2 * 10**9)]
)
def test_seconds_become_the_nanoseconds_one_would_write(seconds: float, expected: int) -> None:
    assert nanoseconds(seconds) == expected


def test_points_end_one_period_before_the_window() -> None:
    assert grid_offsets_ns(10_000_000, 400.0).tolist() == [
        10_000_000,
        7_500_000,
        5_000_000,
        2_500_000,
    ]


def test_points_are_rounded_to_whole_nanoseconds() -> None:
    assert grid_offsets_ns(1_000_000_000, 3.0).tolist() == [1_000_000_000, 666_666_667, 333_333_333]


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, float("nan"), float("inf"), 0.1])
def test_a_rate_without_points_is_refused(rate_hz: float) -> None:
    with pytest.raises(InputError, match=r"a window of 1 s at rate_hz=.* has no points"):
        grid_offsets_ns(1_000_000_000, rate_hz)


def test_a_time_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InputError, match="a time of inf s is not finite"):
        nanoseconds(float("inf"))
