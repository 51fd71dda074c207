# SPDX-License-Identifier: Apache-2.0
"""Metrics equal the mean over every order that ties allow, counted by hand."""

from __future__ import annotations

import math
from itertools import pairwise, permutations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensebind_engines.evaluation.metrics import (
    as_numbers,
    average_precision,
    balanced,
    class_credits,
    mean_average_precision,
    recalls,
    retrieval_chance,
    retrieval_credits,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Few values, so that there are many ties.
scores_of = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=2, max_size=5)


def naive_credit(scores: list[float], right: set[int], k: int) -> float:
    """Share of the orders by falling score, ties in any order, with a right one in the first k."""
    orders = [
        order
        for order in permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in pairwise(order))
    ]
    return sum(bool(right & set(order[:k])) for order in orders) / len(orders)


def naive_precision(scores: list[float], positive: list[bool]) -> float:
    """Precision of all that score at least as high as each positive, in the mean."""
    at_least = [[p for s, p in zip(scores, positive, strict=True) if s >= t] for t in scores]
    precision = [sum(group) / len(group) for group in at_least]
    hits = [value for value, p in zip(precision, positive, strict=True) if p]
    return sum(hits) / len(hits)


@given(scores=scores_of, k=st.integers(1, 6), data=st.data())
def test_a_class_is_found_as_often_as_in_a_random_order(
    scores: list[float], k: int, data: st.DataObject
) -> None:
    places = st.integers(0, len(scores) - 1)
    right = data.draw(st.sets(places, min_size=1))
    truth = np.zeros((1, len(scores)), bool)
    truth[0, list(right)] = True
    credit = class_credits(np.array([scores]), truth, k)
    assert credit[0] == pytest.approx(naive_credit(scores, right, k), abs=1e-12)


@given(
    rows=st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=16, max_size=16),
    keys=st.lists(st.integers(0, 2), min_size=4, max_size=4),
    k=st.integers(1, 5),
)
def test_a_partner_is_found_as_often_as_in_a_random_order(
    rows: list[float], keys: list[int], k: int
) -> None:
    similarity = np.array(rows).reshape(4, 4)
    credit = retrieval_credits(similarity, np.array(keys), k)
    chances = []
    for query in range(4):
        rivals = [c for c in range(4) if c == query or keys[c] != keys[query]]
        scores = [float(similarity[query, c]) for c in rivals]
        expected = naive_credit(scores, {rivals.index(query)}, k)
        assert credit[query] == pytest.approx(expected, abs=1e-12)
        chances.append(min(k, len(rivals)) / len(rivals))
    assert retrieval_chance(np.array(keys), k) == pytest.approx(np.mean(chances))


def test_vectors_that_are_all_alike_score_chance() -> None:
    n = 12
    keys = np.arange(n) // 2
    for k in (1, 5, 10, 50):
        alike = retrieval_credits(np.ones((n, n)), keys, k).mean()
        assert alike == pytest.approx(retrieval_chance(keys, k))
    assert class_credits(np.zeros((3, 7)), np.eye(7, dtype=bool)[:3], 1).mean() == pytest.approx(
        1 / 7
    )


def test_one_item_and_none() -> None:
    one = np.array([0])
    assert retrieval_credits(np.array([[0.3]]), one, 1).tolist() == [1.0]
    assert retrieval_chance(one, 1) == 1.0
    assert math.isnan(retrieval_chance(one[:0], 1))
    assert class_credits(np.zeros((1, 1)), np.ones((1, 1), bool), 1).tolist() == [1.0]
    assert class_credits(np.empty((0, 3)), np.empty((0, 3), bool), 1).shape == (0,)
    assert math.isnan(balanced(np.empty(0), one[:0], 3))
    assert math.isnan(average_precision(np.empty(0), np.empty(0, bool)))


@given(
    truth=st.lists(st.integers(0, 3), min_size=1, max_size=30),
    seed=st.integers(0, 1000),
)
def test_balanced_accuracy_leaves_missing_classes_out(truth: list[int], seed: int) -> None:
    predicted = np.random.default_rng(seed).integers(0, 4, len(truth))
    right = (predicted == truth).astype(float)
    found = balanced(right, np.array(truth), 5)
    per_class = [right[np.array(truth) == c].mean() for c in sorted(set(truth))]
    assert found == pytest.approx(np.mean(per_class))
    shares = recalls(right, np.array(truth), 5)
    assert math.isnan(shares[4])


@given(
    scores=st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.7]), min_size=1, max_size=20),
    seed=st.integers(0, 1000),
)
def test_average_precision_counts_ties_as_one_place(scores: list[float], seed: int) -> None:
    positive = np.random.default_rng(seed).random(len(scores)) < 0.4
    found = average_precision(np.array(scores), positive)
    if not positive.any():
        assert math.isnan(found)
        return
    assert found == pytest.approx(naive_precision(scores, positive.tolist()))
    weights = np.random.default_rng(seed + 1).integers(0, 4, len(scores))
    repeated = np.repeat(np.arange(len(scores)), weights)
    if positive[repeated].any():
        weighted = average_precision(np.array(scores), positive, weights.astype(float))
        again = average_precision(np.array(scores)[repeated], positive[repeated])
        assert weighted == pytest.approx(again)


def test_mean_average_precision_is_over_classes_that_there_are() -> None:
    scores = np.array([[0.9, 0.1, 0.0], [0.8, 0.7, 0.0], [0.1, 0.9, 0.0]])
    truth = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0]], bool)
    assert mean_average_precision(scores, truth) == pytest.approx(1.0)
    truth[0, 0] = False
    assert mean_average_precision(scores, truth) == pytest.approx(1.0)
    assert math.isnan(mean_average_precision(scores, np.zeros((3, 3), bool)))
    prevalence = mean_average_precision(np.zeros((3, 3)), truth)
    assert prevalence == pytest.approx(2 / 3)


def test_numbers_are_in_order_of_appearance() -> None:
    assert as_numbers(["b", "a", "b", ("a",)]).tolist() == [0, 1, 0, 2]
    assert as_numbers([]).shape == (0,)
