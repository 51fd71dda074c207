# SPDX-License-Identifier: Apache-2.0
"""Metrics, as credits per query, so that means, shares by class and intervals all come from them.

Ties are shared: where `t` candidates tie, the right one among them, and `g` are above them, a query
is right among the first k with the credit (k - g) / t, held to 0..1, what a random order of the
tied would give in the mean. Vectors that are all alike score exactly chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]


def credit_at(above: Ints, tied: Ints, k: int) -> Floats:
    """Credit (n,) for being among the first k.

    Args:
        above: (n,) candidates that score higher than the right one.
        tied: (n,) candidates that score the same, the right one among them.
        k: how many count as found.
    """
    return np.asarray(np.clip((k - above) / tied, 0.0, 1.0), np.float64)


def class_credits(scores: Floats, truth: Mask, k: int) -> Floats:
    """Credit (n,) for a right class, the best placed of them, being among the k of highest score.

    Args:
        scores: (n, classes).
        truth: (n, classes), at least one per row.
        k: how many count.
    """
    best = np.where(truth, scores, -np.inf).max(axis=1, keepdims=True)
    above = (scores > best).sum(axis=1)
    tied = scores == best
    right, wrong = (tied & truth).sum(axis=1), (tied & ~truth).sum(axis=1)
    # The chance that none of the first k - above of the tied, in random order, is right.
    places = np.clip(k - above, 0, right + wrong)
    missed = np.ones(len(scores))
    for step in range(int(places.max(initial=0))):
        left = np.maximum(right + wrong - step, 1)
        missed *= np.where(step < places, np.clip((wrong - step) / left, 0.0, 1.0), 1.0)
    return 1.0 - missed


def retrieval_credits(similarity: Floats, keys: Ints, k: int) -> Floats:
    """Credit (n,) for a query's partner being among the k nearest candidates.

    Args:
        similarity: (n, n); query i belongs to candidate i.
        keys: (n,) other candidates of the query's own key are left out: they are the same thing.
        k: how many count as found.
    """
    own = np.diagonal(similarity)[:, np.newaxis]
    rivals = keys[:, np.newaxis] != keys[np.newaxis, :]
    above = ((similarity > own) & rivals).sum(axis=1)
    tied = ((similarity == own) & rivals).sum(axis=1) + 1
    return credit_at(above, tied, k)


def retrieval_chance(keys: Ints, k: int) -> float:
    """Mean credit of a random order: min(k, candidates) / candidates, over the queries."""
    _, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
    candidates = len(keys) - counts[places] + 1
    return float(np.mean(np.minimum(k, candidates) / candidates)) if len(keys) else float("nan")


def recalls(credit: Floats, truth: Ints, classes: int, weights: Floats | None = None) -> Floats:
    """Mean credit of each class (classes,), nan where no query is of it."""
    weights = np.ones(len(truth)) if weights is None else weights
    total = np.bincount(truth, weights, classes)
    right = np.bincount(truth, weights * credit, classes)
    with np.errstate(invalid="ignore"):
        return np.asarray(right / total, np.float64)


def balanced(credit: Floats, truth: Ints, classes: int) -> float:
    """Mean recall over the classes there are."""
    found = recalls(credit, truth, classes)
    return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")


def average_precision(scores: Floats, positive: Mask, weights: Floats | None = None) -> float:
    """Mean precision at the places of the positives, (n,) scores; nan without positives.

    Scores that tie take one place together (as scikit-learn has it). A weight counts an item that
    many times.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    if not (weights * positive).any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], weights[order] * positive[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    found, seen = np.cumsum(hits)[ends], np.cumsum(weights[order])[ends]
    precision = found / np.maximum(seen, np.finfo(np.float64).tiny)
    return float(np.sum(np.diff(found, prepend=0.0) * precision) / found[-1])


def mean_average_precision(scores: Floats, truth: Mask, weights: Floats | None = None) -> float:
    """Mean of `average_precision` over the classes that have positives; scores (n, classes)."""
    each = [average_precision(s, t, weights) for s, t in zip(scores.T, truth.T, strict=True)]
    there = [value for value in each if np.isfinite(value)]
    return float(np.mean(there)) if there else float("nan")


def as_numbers(values: Sequence[object]) -> Ints:
    """Equal values as equal numbers, in order of appearance, int64 (n,)."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], np.int64)


def cosines(found: NDArray[np.float64], expected: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosine of each row to the row it should be; -1 where it is not finite."""
    wide = expected.astype(np.float64)
    with np.errstate(all="ignore"):
        norms = np.linalg.norm(found, axis=1) * np.linalg.norm(wide, axis=1)
        cosine = np.einsum("ij,ij->i", found, wide) / norms
    return np.where(np.isfinite(cosine), cosine, -1.0)
