# SPDX-License-Identifier: Apache-2.0
"""A bundle on a data set: everything that can be measured, in one value."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass, field
from itertools import combinations, permutations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sensebind import __version__
from sensebind.demo import PROMPTS_NAME, read_prompts
from sensebind.errors import InputError
from sensebind.types import Modality
from sensebind_engines.evaluation.classes import Labelled, few_shot, zero_shot
from sensebind_engines.evaluation.edges import relation
from sensebind_engines.evaluation.embedding import embed_entries
from sensebind_engines.evaluation.intervals import RESAMPLES
from sensebind_engines.evaluation.opening import open_entries
from sensebind_engines.evaluation.pairs import Together, difference, gap, retrieval, sums
from sensebind_engines.evaluation.results import (
    Cell,
    Evaluation,
    ProbeResult,
    RetrievalResult,
    ZeroShotResult,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensebind import Bundle
    from sensebind_engines.data.config import Windows
    from sensebind_engines.data.manifest import Entry
    from sensebind_engines.evaluation.classes import Classes
    from sensebind_engines.evaluation.embedding import Embedded
    from sensebind_engines.evaluation.results import ArithmeticResult

_PACKAGES = ("numpy", "onnxruntime", "numba", "pillow", "soxr")


@dataclass(frozen=True)
class Settings:
    """How to evaluate.

    Attributes:
        split: rows used; all if None.
        shots_from: split the probe's shots are from; half of the groups if None.
        windows: "each" window of a row, or "one".
        hop_s: time between windows; the encoders' if None.
        seed: of every draw.
        seeds: how often the probe's shots are drawn.
        resamples: bootstrap resamples of every interval.
        cache: folder for windows and features.
        prompts: by modality, or under None for all; the bundle's own, or the labels, if empty.
    """

    split: str | None = None
    shots_from: str | None = None
    windows: Windows = "each"
    hop_s: float | None = None
    seed: int = 0
    seeds: int = 5
    resamples: int = RESAMPLES
    cache: Path | None = None
    prompts: dict[Modality | None, Classes] = field(default_factory=dict)


def evaluate(
    bundle: Bundle,
    data: str,
    settings: Settings,
    advance: Callable[[float], None] = lambda _share: None,
) -> Evaluation:
    """Measure a bundle.

    Args:
        bundle: what is measured.
        data: a manifest; a folder with a recording and its `truth.json`; or "sample".
        settings: how.
        advance: told the share of rows embedded.

    Raises:
        InputError: naming manifest, row and file of what cannot be used.
    """
    entries, others = open_entries(data, settings.split)
    shots_from = settings.shots_from
    pool = [e for e in others if shots_from is not None and e.row.split == shots_from]
    if shots_from is not None and not pool:
        raise InputError(
            f"{data} has no rows of split {shots_from!r} beside those that are evaluated; "
            "give --split and --shots-from two splits of the manifest"
        )

    def embed(rows: list[Entry]) -> Embedded:
        return embed_entries(
            bundle,
            rows,
            windows=settings.windows,
            hop_s=settings.hop_s,
            cache=settings.cache,
            advance=advance,
        )

    measuring = _Measuring(bundle, embed(entries), embed(pool) if pool else None, settings)
    return measuring.all(data)


class _Measuring:
    """One evaluation on its way."""

    def __init__(
        self, bundle: Bundle, embedded: Embedded, pool: Embedded | None, settings: Settings
    ) -> None:
        self._bundle = bundle
        self._manifest = bundle.manifest
        self._embedded = embedded
        self._pool = pool
        self._settings = settings
        self._notes: list[str] = []
        self._labelled: dict[Modality, Labelled] = {
            m: labelled
            for m in embedded.modalities
            if m is not Modality.TEXT and (labelled := Labelled(embedded, m)).items
        }

    def all(self, data: str) -> Evaluation:
        """Everything, in the order it is told."""
        settings, embedded = self._settings, self._embedded
        named = [self._zero_shot(m) for m in self._labelled if self._can_name()]
        pairs = self._pairs()
        found = [self._retrieval(pairs[pair], *pair) for pair in pairs]
        retrieved = tuple(result for both in found for result in both)
        return Evaluation(
            bundle=self._bundle.name,
            bundle_id=self._bundle.folder.bundle_id,
            space_id=self._bundle.space_id,
            is_test_bundle=self._bundle.is_test,
            data=Path(data).name or data,
            data_sha256=embedded.sha256,
            split=settings.split,
            windows=settings.windows,
            seed=settings.seed,
            resamples=settings.resamples,
            versions=_versions(),
            items=len(embedded.items),
            vectors={m.value: len(v) for m, v in embedded.vectors.items()},
            zero_shot=tuple(named),
            retrieval=retrieved,
            matrix=self._matrix(retrieved, named),
            few_shot=tuple(self._few_shot()),
            arithmetic=tuple(self._arithmetic(pairs)),
            gaps=tuple(gap(together, *pair) for pair, together in pairs.items()),
            notes=tuple(self._notes),
        )

    def _can_name(self) -> bool:
        has_text = Modality.TEXT in self._bundle.modalities
        if not has_text and not self._notes:
            self._notes.append("The bundle has no text encoder, so nothing was named by texts.")
        return has_text

    def _zero_shot(self, modality: Modality) -> ZeroShotResult:
        labelled = self._labelled[modality]
        return zero_shot(
            self._bundle,
            modality,
            labelled,
            self._classes(modality, labelled),
            self._settings.seed,
            self._settings.resamples,
        )

    def _classes(self, modality: Modality, labelled: Labelled) -> Classes:
        """Prompts as given; else the bundle's, if they have all labels; else the labels."""
        given = self._settings.prompts
        chosen = given.get(modality) or given.get(None)
        if chosen is not None:
            return chosen
        labels = sorted({label for labels in labelled.labels for label in labels})
        if PROMPTS_NAME in self._manifest.files:
            own = read_prompts(self._bundle).get(modality, {})
            if set(labels) <= set(own):
                return own
        self._notes.append(
            f"{modality}: its labels were taken as the prompts; --prompts names others."
        )
        return {label: [label] for label in labels}

    def _pairs(self) -> dict[tuple[Modality, Modality], Together]:
        """Every two modalities that the data have together, if there is something to search."""
        found = {}
        for pair in combinations(self._embedded.modalities, 2):
            together = Together(self._embedded, pair, self._settings.seed)
            if together.is_searchable:
                found[pair] = together
        return found

    def _retrieval(
        self, together: Together, one: Modality, other: Modality
    ) -> tuple[RetrievalResult, RetrievalResult]:
        seed, resamples = self._settings.seed, self._settings.resamples
        return (
            retrieval(self._manifest, together, one, other, seed, resamples),
            retrieval(self._manifest, together, other, one, seed, resamples),
        )

    def _matrix(
        self, retrieved: tuple[RetrievalResult, ...], named: list[ZeroShotResult]
    ) -> tuple[Cell, ...]:
        """A cell for every two of the bundle's modalities, whatever the data have."""
        searched = {(result.query, result.target): result.recall["R@1"] for result in retrieved}
        classified = {result.modality: result.balanced or result.top1 for result in named}
        cells = []
        for one, other in permutations(self._bundle.modalities, 2):
            measure, figure = "R@1", searched.get((one.value, other.value))
            if figure is None and other is Modality.TEXT and one.value in classified:
                measure, figure = "zero-shot", classified[one.value]
            cells.append(
                Cell(
                    query=one.value,
                    target=other.value,
                    relation=relation(self._manifest, one, other),
                    measure=measure,
                    figure=figure,
                )
            )
        return tuple(cells)

    def _few_shot(self) -> list[ProbeResult]:
        results = []
        for modality, labelled in self._labelled.items():
            pool = None
            if self._pool is not None and modality in self._pool.modalities:
                pool = Labelled(self._pool, modality)
            if not labelled.is_single or (pool is not None and not pool.is_single):
                self._notes.append(
                    f"{modality}: windows have several labels, no probe was trained."
                )
                continue
            found = few_shot(
                modality,
                labelled,
                pool,
                f"split {self._settings.shots_from!r}",
                self._settings.seeds,
                self._settings.seed,
            )
            if not found:
                self._notes.append(
                    f"{modality}: no probe was trained; a class has no windows on one side."
                )
            results += found
        return results

    def _arithmetic(
        self, pairs: dict[tuple[Modality, Modality], Together]
    ) -> list[ArithmeticResult]:
        seed, resamples = self._settings.seed, self._settings.resamples
        results = []
        for triple in combinations(self._embedded.modalities, 3):
            together = Together(self._embedded, triple, seed)
            if together.is_searchable:
                results += sums(together, triple, seed, resamples)
        for (one, other), together in pairs.items():
            if len(np.unique(together.keys)) > 2:
                results.append(difference(together, one, other, seed, resamples))
                results.append(difference(together, other, one, seed, resamples))
        return results


def _versions() -> dict[str, str]:
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"sensebind": __version__, **packages}
