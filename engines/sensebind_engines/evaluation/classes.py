# SPDX-License-Identifier: Apache-2.0
"""Modalities named by texts, and by a few examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from sensebind.errors import InputError
from sensebind.types import Modality
from sensebind.zero_shot import ZeroShot
from sensebind_engines.evaluation.edges import relation
from sensebind_engines.evaluation.embedding import clusters
from sensebind_engines.evaluation.intervals import balanced_figure, map_figure, mean_figure
from sensebind_engines.evaluation.metrics import (
    balanced,
    class_credits,
    mean_average_precision,
    recalls,
)
from sensebind_engines.evaluation.probe import LogisticRegression, draw_shots
from sensebind_engines.evaluation.results import ProbeResult, ZeroShotResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sensebind import Bundle
    from sensebind_engines.data.items import Item
    from sensebind_engines.evaluation.embedding import Embedded

Classes: TypeAlias = dict[str, list[str]]
"""Prompts by class."""
SHOTS = (1, 2, 4, 8, 16)
_HALVES = "the other half of the groups"


class Labelled:
    """The labelled vectors of one modality.

    Attributes:
        items: one per vector.
        vectors: float64 (n, dim).
        labels: of each.
    """

    def __init__(self, embedded: Embedded, modality: Modality) -> None:
        owners = [embedded.items[number] for number in embedded.owners[modality]]
        kept = [place for place, item in enumerate(owners) if item.entry.row.labels(modality)]
        self.items: list[Item] = [owners[place] for place in kept]
        self.vectors = embedded.vectors[modality][kept]
        self.labels = [item.entry.row.labels(modality) for item in self.items]

    @property
    def is_single(self) -> bool:
        """Whether each has one label."""
        return all(len(labels) == 1 for labels in self.labels)

    def truth(self, classes: Sequence[str], modality: Modality) -> NDArray[np.bool_]:
        """Which classes each is of, bool (n, classes).

        Raises:
            InputError: naming the row and a label that is none of the classes.
        """
        numbers = {name: number for number, name in enumerate(classes)}
        truth = np.zeros((len(self.items), len(classes)), bool)
        for place, (item, labels) in enumerate(zip(self.items, self.labels, strict=True)):
            for label in labels:
                if label not in numbers:
                    raise InputError(
                        f"{item.entry.where}: {modality} has the label {label!r}, which has no "
                        f"prompts; there are prompts for {', '.join(classes)}"
                    )
                truth[place, numbers[label]] = True
        return truth


def zero_shot(
    bundle: Bundle,
    modality: Modality,
    labelled: Labelled,
    classes: Classes,
    seed: int,
    resamples: int,
) -> ZeroShotResult:
    """Name each vector by the nearest class.

    Raises:
        InputError: for a label without prompts, or fewer than two classes.
    """
    prototypes = ZeroShot(bundle, classes).prototypes.astype(np.float64)
    truth = labelled.truth(list(classes), modality)
    scores = labelled.vectors @ prototypes.T
    groups = clusters(labelled.items)
    blind = np.zeros_like(scores)
    credit = {k: class_credits(scores, truth, k) for k in (1, 5)}
    chance = {k: float(class_credits(blind, truth, k).mean()) for k in (1, 5)}
    numbers = truth.argmax(axis=1)
    found = recalls(credit[1], numbers, len(classes)) if labelled.is_single else np.empty(0)
    return ZeroShotResult(
        modality=modality.value,
        relation=relation(bundle.manifest, modality, Modality.TEXT),
        classes=tuple(classes),
        prompts=classes,
        top1=mean_figure(credit[1], groups, chance[1], seed, resamples),
        top5=mean_figure(credit[5], groups, chance[5], seed, resamples)
        if len(classes) > 5
        else None,
        balanced=balanced_figure(credit[1], numbers, groups, 1 / len(classes), seed, resamples)
        if labelled.is_single
        else None,
        mean_average_precision=map_figure(
            scores, truth, groups, mean_average_precision(blind, truth), seed, resamples
        ),
        recall={
            name: float(value)
            for name, value in zip(classes, found, strict=False)
            if np.isfinite(value)
        },
    )


def few_shot(
    modality: Modality,
    labelled: Labelled,
    pool: Labelled | None,
    pool_name: str,
    seeds: int,
    seed: int,
) -> list[ProbeResult]:
    """Linear probes on 1, 2, 4, … vectors per class, while the smallest class has as many.

    Args:
        modality: for the record.
        labelled: what is classified; of it, half of the groups if there is no pool.
        pool: where the shots are from.
        pool_name: what it is called.
        seeds: how often shots, and halves, are drawn anew.
        seed: of the first draw.
    """
    everything = labelled.labels + (pool.labels if pool else [])
    names = sorted({label for labels in everything for label in labels})
    results = []
    for shots in SHOTS:
        drawn = [
            _probe(labelled, pool, names, shots, np.random.default_rng((seed, number, shots)))
            for number in range(seeds)
        ]
        kept = [one for one in drawn if one is not None]
        if len(kept) < len(drawn):
            break
        values = [value for value, _ in kept]
        results.append(
            ProbeResult(
                modality=modality.value,
                shots=shots,
                balanced=tuple(values),
                mean=float(np.mean(values)),
                deviation=float(np.std(values)),
                chance=1 / len(names),
                n=tuple(n for _, n in kept),
                shots_from=_HALVES if pool is None else pool_name,
            )
        )
    return results


def _probe(
    labelled: Labelled,
    pool: Labelled | None,
    names: list[str],
    shots: int,
    rng: np.random.Generator,
) -> tuple[float, int] | None:
    """Balanced accuracy and number of test vectors; None if a class has fewer shots."""
    truth = _numbers(labelled, names)
    test = np.ones(len(truth), bool)
    vectors, numbers = labelled.vectors, truth
    if pool is None:
        groups = clusters(labelled.items)
        count = int(groups.max(initial=-1)) + 1
        learnt = np.isin(groups, rng.permutation(count)[: count // 2])
        test, vectors, numbers = ~learnt, vectors[learnt], truth[learnt]
    else:
        vectors, numbers = pool.vectors, _numbers(pool, names)
    if not test.any() or np.bincount(numbers, minlength=len(names)).min() < shots:
        return None
    chosen = draw_shots(numbers, shots, rng)
    model = LogisticRegression(vectors[chosen], numbers[chosen], len(names))
    scores = model.scores(labelled.vectors[test])
    credit = class_credits(scores, np.eye(len(names), dtype=bool)[truth[test]], 1)
    return balanced(credit, truth[test], len(names)), int(test.sum())


def _numbers(labelled: Labelled, names: list[str]) -> NDArray[np.int64]:
    return np.array([names.index(labels[0]) for labels in labelled.labels], np.int64)
