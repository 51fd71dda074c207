# SPDX-License-Identifier: Apache-2.0
"""Modalities that find each other: retrieval, arithmetic and the gap between them."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from sensebind_engines.evaluation.edges import relation
from sensebind_engines.evaluation.embedding import clusters
from sensebind_engines.evaluation.intervals import mean_figure
from sensebind_engines.evaluation.metrics import retrieval_chance, retrieval_credits
from sensebind_engines.evaluation.results import ArithmeticResult, GapResult, RetrievalResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.manifest import Manifest
    from sensebind.types import Modality
    from sensebind_engines.data.items import Item
    from sensebind_engines.evaluation.embedding import Embedded

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

RANKS = (1, 5, 10)
LARGEST_GALLERY = 4000
"""Candidates of one search; of more items so many are drawn (128 MB of similarities)."""


class Together:
    """Items that have some modalities in common, at most `LARGEST_GALLERY` of them.

    Attributes:
        vectors: by modality, float64 (n, dim).
        keys: int64 (n,), what each item is.
        groups: int64 (n,), what intervals draw.
    """

    def __init__(self, embedded: Embedded, modalities: tuple[Modality, ...], seed: int) -> None:
        items, vectors = embedded.together(*modalities)
        rows = np.arange(len(items))
        if len(rows) > LARGEST_GALLERY:
            rows = np.sort(np.random.default_rng(seed).permutation(rows)[:LARGEST_GALLERY])
        kept: list[Item] = [items[row] for row in rows]
        self.vectors = {m: v[rows] for m, v in zip(modalities, vectors, strict=True)}
        self.keys = embedded.keys(kept, modalities)
        self.groups = clusters(kept)

    @property
    def is_searchable(self) -> bool:
        """Whether there are two different things."""
        return len(np.unique(self.keys)) > 1


def retrieval(
    manifest: Manifest,
    together: Together,
    query: Modality,
    target: Modality,
    seed: int,
    resamples: int,
) -> RetrievalResult:
    """Search the partner of each query."""
    similarity = together.vectors[query] @ together.vectors[target].T
    return RetrievalResult(
        query=query.value,
        target=target.value,
        relation=relation(manifest, query, target),
        recall={
            f"R@{k}": mean_figure(
                retrieval_credits(similarity, together.keys, k),
                together.groups,
                retrieval_chance(together.keys, k),
                seed,
                resamples,
            )
            for k in RANKS
        },
    )


def sums(
    together: Together, modalities: tuple[Modality, ...], seed: int, resamples: int
) -> list[ArithmeticResult]:
    """For each of three modalities: search it with the sum of the other two."""
    results = []
    chance = retrieval_chance(together.keys, 1)
    for one, other, target in permutations(modalities, 3):
        if modalities.index(one) < modalities.index(other):
            both = together.vectors[one] + together.vectors[other]
            credit = _found(_unit(both), together.vectors[target], together.keys)
            results.append(
                ArithmeticResult(
                    formula=f"{one} + {other} -> {target}",
                    recall_at_1=mean_figure(credit, together.groups, chance, seed, resamples),
                    alone={
                        m.value: float(
                            _found(
                                together.vectors[m], together.vectors[target], together.keys
                            ).mean()
                        )
                        for m in (one, other)
                    },
                )
            )
    return results


def difference(
    together: Together, one: Modality, other: Modality, seed: int, resamples: int
) -> ArithmeticResult:
    """Search b with a - a' + b', where a' and b' are of another item, which is no candidate."""
    a, b = together.vectors[one], together.vectors[other]
    second = _others(together.keys, np.random.default_rng(seed))
    similarity = _unit(a - a[second] + b[second]) @ b.T
    given = together.keys[second][:, np.newaxis] == together.keys[np.newaxis]
    similarity[given] = -np.inf
    credit = retrieval_credits(similarity, together.keys, 1)
    same = together.keys[:, np.newaxis] == together.keys[np.newaxis]
    chance = float(np.mean(1 / (1 + (~given & ~same).sum(axis=1))))
    return ArithmeticResult(
        formula=f"{one} - {one}' + {other}' -> {other}",
        recall_at_1=mean_figure(credit, together.groups, chance, seed, resamples),
        alone={one.value: float(_found(a, b, together.keys).mean())},
    )


def gap(together: Together, one: Modality, other: Modality) -> GapResult:
    """The distance of the means, and how alike what belongs together is."""
    a, b = together.vectors[one], together.vectors[other]
    similarity = a @ b.T
    apart = together.keys[:, np.newaxis] != together.keys[np.newaxis]
    return GapResult(
        one=one.value,
        other=other.value,
        distance=float(np.linalg.norm(a.mean(axis=0) - b.mean(axis=0))),
        paired_cosine=float(np.diagonal(similarity).mean()),
        unpaired_cosine=float(similarity[apart].mean()) if apart.any() else None,
    )


def _found(queries: Floats, targets: Floats, keys: Ints) -> Floats:
    return retrieval_credits(queries @ targets.T, keys, 1)


def _unit(vectors: Floats) -> Floats:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, np.finfo(np.float64).tiny), np.float64)


def _others(keys: Ints, rng: np.random.Generator) -> Ints:
    """For each item another one of another key, drawn evenly."""
    chosen = [rng.choice(np.flatnonzero(keys != key)) for key in keys]
    return np.array(chosen, np.int64)
