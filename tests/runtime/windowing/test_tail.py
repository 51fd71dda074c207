# SPDX-License-Identifier: Apache-2.0
"""The growing tail behaves like one array that is only ever appended to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensebind.errors import InputError
from sensebind.windowing.tail import Tail

STEPS = st.lists(st.tuples(st.integers(0, 90), st.integers(-5, 120)), max_size=12)


@given(STEPS)
def test_equals_an_array_that_keeps_everything(steps: list[tuple[int, int]]) -> None:
    tail: Tail[np.int64] = Tail(2, np.int64)
    everything = np.empty((0, 2), np.int64)
    start, held = 0, []
    for count, dropped in steps:
        rows = np.arange(2 * len(everything), 2 * (len(everything) + count)).reshape(-1, 2)
        everything = np.concatenate([everything, rows])
        tail.append(rows)
        tail.drop_before(start + dropped)
        start = min(max(start, start + dropped), len(everything))
        assert (tail.start, tail.end) == (start, len(everything))
        view = tail.view(tail.start, tail.end)
        assert view.tobytes() == everything[start:].tobytes()
        held.append((view, view.copy()))
    assert all(np.array_equal(view, copy) for view, copy in held)


def test_views_are_read_only_and_rows_are_copied_in() -> None:
    tail: Tail[np.float32] = Tail(1, np.float32)
    rows = np.ones((3, 1), np.float32)
    tail.append(rows)
    rows[:] = 5
    view = tail.view(0, 3)
    assert (view == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 2
    tail.append(rows)
    assert tail.view(3, 6)[0] == 5


def test_the_store_is_bounded_and_a_row_moves_seldom() -> None:
    tail: Tail[np.float32] = Tail(1, np.float32)
    store, moves = None, 0
    for _ in range(20_000):
        tail.append(np.zeros((1, 1), np.float32))
        tail.drop_before(tail.end - 100)
        base = tail.view(tail.start, tail.end).base
        assert isinstance(base, np.ndarray)
        assert len(base) <= 2 * 101
        moves += base is not store
        store = base
    assert 2 <= moves <= 20_000 // 100 + 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((2, 3)), r"rows are float64 \(2, 3\), expected float64 \(n, 2\)"),
        (np.zeros((2, 2), np.float32), r"rows are float32 \(2, 2\), expected float64 \(n, 2\)"),
        (np.zeros(2), r"rows are float64 \(2,\)"),
    ],
)
def test_other_rows_are_refused(rows: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Tail[np.float64](2, np.float64).append(rows)


def test_rows_no_longer_kept_are_refused() -> None:
    tail: Tail[np.float64] = Tail(1, np.float64)
    tail.append(np.zeros((5, 1)))
    tail.drop_before(2)
    with pytest.raises(InputError, match=r"rows 1 to 3 were asked for, kept are 2 to 5"):
        tail.view(1, 3)
    with pytest.raises(InputError, match=r"rows 2 to 6"):
        tail.view(2, 6)
