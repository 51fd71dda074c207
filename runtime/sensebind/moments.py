# SPDX-License-Identifier: Apache-2.0
"""From the scores of a stream's windows to moments: peaks that stand apart, each with its span.

A moment is a local maximum and the windows around it whose score is at least halfway from the
stream's median score up to the peak (the width at half prominence), as far as they follow each
other without a gap. Windows that overlap a moment's span belong to it, so no two moments of a
stream overlap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GAP_STEPS = 1.5
"""Windows further apart than this many usual steps do not follow each other."""


class Peak(NamedTuple):
    """One moment of a stream: its score is that of the window [best_start_ns, best_end_ns]."""

    score: float
    start_ns: int
    end_ns: int
    best_start_ns: int
    best_end_ns: int


def find_peaks(
    start_ns: NDArray[np.int64],
    end_ns: NDArray[np.int64],
    scores: NDArray[np.float64],
    count: int,
) -> list[Peak]:
    """The best moments of one stream, best first.

    Args:
        start_ns: int64 (n,) where the windows begin, in any order.
        end_ns: int64 (n,) where they end.
        scores: float64 (n,).
        count: how many moments at most.
    """
    order = np.lexsort((end_ns, start_ns))
    start_ns, end_ns, scores = start_ns[order], end_ns[order], scores[order]
    follows = _follows(start_ns)
    middle = float(np.median(scores)) if len(scores) else 0.0
    taken = np.zeros(len(scores), dtype=bool)
    peaks: list[Peak] = []
    for index in _maxima(scores, follows):
        if len(peaks) == count:
            break
        if taken[index]:
            continue
        level = (scores[index] + middle) / 2
        first, last = _extent(scores, follows, taken, int(index), level)
        begin, end = int(start_ns[first]), int(end_ns[first : last + 1].max())
        taken[(start_ns < end) & (end_ns > begin)] = True
        taken[first : last + 1] = True
        peaks.append(
            Peak(float(scores[index]), begin, end, int(start_ns[index]), int(end_ns[index]))
        )
    return peaks


def _follows(start_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each window but the first follows the one before it without a gap."""
    steps = np.diff(start_ns)
    usual = float(np.median(steps)) if len(steps) else 0.0
    return np.asarray(steps <= GAP_STEPS * usual, dtype=bool)


def _maxima(scores: NDArray[np.float64], follows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Windows that no neighbour exceeds, best first; of equal ones the earlier first."""
    lower_before = np.ones(len(scores), dtype=bool)
    lower_after = np.ones(len(scores), dtype=bool)
    lower_before[1:] = (scores[1:] >= scores[:-1]) | ~follows
    lower_after[:-1] = (scores[:-1] >= scores[1:]) | ~follows
    found = np.flatnonzero(lower_before & lower_after)
    return found[np.argsort(-scores[found], kind="stable")]


def _extent(
    scores: NDArray[np.float64],
    follows: NDArray[np.bool_],
    taken: NDArray[np.bool_],
    index: int,
    level: float,
) -> tuple[int, int]:
    """First and last window of the run around `index` that stays at or above `level`."""
    first = last = index
    while first > 0 and follows[first - 1] and scores[first - 1] >= level and not taken[first - 1]:
        first -= 1
    while (
        last + 1 < len(scores)
        and follows[last]
        and scores[last + 1] >= level
        and not taken[last + 1]
    ):
        last += 1
    return first, last
