# SPDX-License-Identifier: Apache-2.0
"""Moments: local maxima that stand apart, each as wide as half its prominence."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sensebind.moments import Peak, find_peaks

S = 10**9


def peaks(scores: list[float], count: int = 9, length_s: float = 0.0) -> list[Peak]:
    """Of windows that begin at whole seconds."""
    start_ns = np.arange(len(scores), dtype=np.int64) * S
    return find_peaks(start_ns, start_ns + int(length_s * S), np.array(scores, float), count)


def spans(found: list[Peak]) -> list[tuple[float, int, int]]:
    return [(peak.score, peak.start_ns // S, peak.end_ns // S) for peak in found]


def test_a_moment_reaches_down_to_half_its_height() -> None:
    found = peaks([0, 0, 0, 0.4, 0.6, 1.0, 0.5, 0.4, 0, 0, 0, 0])
    assert spans(found)[0] == (1.0, 4, 6)
    assert found[0].best_start_ns == 5 * S


def test_two_peaks_are_two_moments_best_first() -> None:
    assert spans(peaks([0, 0.8, 0, 0, 0, 0.9, 0], 2)) == [(0.9, 5, 5), (0.8, 1, 1)]


def test_the_flank_of_a_peak_is_no_moment() -> None:
    assert len(peaks([0, 0.3, 1.0, 0.3, 0, 0, 0], 2)) == 2  # the peak, and one of the flat floor
    assert spans(peaks([0, 0.3, 1.0, 0.3, 0, 0, 0], 1)) == [(1.0, 2, 2)]


def test_what_overlaps_a_moment_belongs_to_it() -> None:
    # Windows of 2.5 s each second: a second maximum two windows on lies inside the first's span.
    assert spans(peaks([0, 1.0, 0.2, 0.9, 0, 0, 0, 0], 2, 2.5))[0] == (1.0, 1, 3)
    assert all(
        score < 0.9 for score, _, _ in spans(peaks([0, 1.0, 0.2, 0.9, 0, 0, 0, 0], 9, 2.5))[1:]
    )


def test_a_gap_ends_a_moment() -> None:
    start_ns = np.array([0, 1, 2, 7, 8, 9, 10, 11], np.int64) * S
    found = find_peaks(start_ns, start_ns, np.array([0, 0.9, 1.0, 0.9, 0.9, 0, 0, 0]), 2)
    assert spans(found) == [(1.0, 1, 2), (0.9, 7, 8)]


def test_a_constant_stream_is_one_moment_and_an_empty_one_none() -> None:
    assert spans(peaks([0.5] * 6)) == [(0.5, 0, 5)]
    assert peaks([]) == []


scores = st.lists(st.floats(-1, 1), min_size=1, max_size=40)


@given(scores, st.floats(0, 4))
def test_moments_do_not_overlap_and_the_first_is_the_best_window(
    values: list[float], length_s: float
) -> None:
    found = peaks(values, 99, length_s)
    assert found[0].score == max(values)
    ordered = sorted(found, key=lambda peak: peak.start_ns)
    for before, after in pairwise(ordered):
        assert before.end_ns <= after.start_ns
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)


@given(scores, st.integers(0, 2**32 - 1))
def test_the_order_of_windows_does_not_matter(values: list[float], seed: int) -> None:
    start_ns = np.arange(len(values), dtype=np.int64) * S
    order = np.random.default_rng(seed).permutation(len(values))
    array = np.array(values)
    found = find_peaks(start_ns[order], start_ns[order] + S, array[order], 5)
    assert found == find_peaks(start_ns, start_ns + S, array, 5)
