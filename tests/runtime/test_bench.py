# SPDX-License-Identifier: Apache-2.0
"""What `sensebind bench` measures and how it searches."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensebind.bench.live import largest_passing


class Limit:
    """Passes up to a limit, and counts how often it was asked."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.tried: list[float] = []

    def __call__(self, factor: float) -> bool:
        self.tried.append(factor)
        return factor <= self.limit


@given(st.floats(0.05, 500), st.floats(0.05, 500))
def test_the_search_finds_the_limit(limit: float, first: float) -> None:
    passes = Limit(limit)
    found = largest_passing(passes, first, most=60)
    assert found is not None
    assert found <= limit < 1.1 * found * (1 + 1e-9)
    assert found in passes.tried


@given(st.floats(0.5, 2))
def test_from_a_good_guess_it_takes_few_trials(ratio: float) -> None:
    passes = Limit(8.0)
    largest_passing(passes, 8.0 * ratio)
    assert len(passes.tried) <= 8


def test_nothing_passes() -> None:
    passes = Limit(0)
    assert largest_passing(passes, 1.0, most=5) is None
    assert passes.tried == pytest.approx([1 / 1.5**i for i in range(5)])


def test_everything_passes() -> None:
    passes = Limit(math.inf)
    assert largest_passing(passes, 1.0, most=4) == pytest.approx(1.5**3)
