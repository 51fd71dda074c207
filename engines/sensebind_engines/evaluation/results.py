# SPDX-License-Identifier: Apache-2.0
"""Everything an evaluation measures: what `evaluation.json` holds."""

import msgspec

from sensebind_engines.evaluation.intervals import Figure


class ZeroShotResult(msgspec.Struct, frozen=True, kw_only=True):
    """One modality named by texts.

    Attributes:
        modality: what is named.
        relation: of it and text.
        classes: class names, in the order of the prompts.
        prompts: texts per class.
        top1: share of windows whose nearest class is right.
        top5: right among the five nearest; None with five classes or fewer.
        balanced: mean recall over the classes there are; None if windows have several labels.
        mean_average_precision: over the classes there are.
        recall: by class that there is.
    """

    modality: str
    relation: str
    classes: tuple[str, ...]
    prompts: dict[str, list[str]]
    top1: Figure
    top5: Figure | None
    balanced: Figure | None
    mean_average_precision: Figure
    recall: dict[str, float]


class RetrievalResult(msgspec.Struct, frozen=True, kw_only=True):
    """One modality searched with another: the partner of each query among all candidates.

    Attributes:
        query: modality of the queries.
        target: modality of the candidates.
        relation: of the two.
        recall: Figure by "R@k".
    """

    query: str
    target: str
    relation: str
    recall: dict[str, Figure]


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of the matrix.

    Attributes:
        query: row.
        target: column.
        relation: "anchor", "trained", "emergent" or "unbound".
        measure: "R@1", or "zero-shot" (balanced) where data has classes and no texts of its own.
        figure: None where the data have nothing of both.
    """

    query: str
    target: str
    relation: str
    measure: str
    figure: Figure | None


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """Few-shot linear probe of one modality.

    Attributes:
        modality: what is classified.
        shots: training windows per class.
        balanced: mean recall over classes, by seed.
        mean: over the seeds.
        deviation: standard deviation over the seeds.
        chance: 1 / classes.
        n: test windows, by seed.
        shots_from: where the shots are from.
    """

    modality: str
    shots: int
    balanced: tuple[float, ...]
    mean: float
    deviation: float
    chance: float
    n: tuple[int, ...]
    shots_from: str


class ArithmeticResult(msgspec.Struct, frozen=True, kw_only=True):
    """Search by a sum or difference of embeddings, beside the search without.

    Attributes:
        formula: "audio + vision -> text", or "audio - audio' + text' -> text" with ' another item.
        recall_at_1: of the formula.
        alone: R@1 of the single modalities among the same candidates.
    """

    formula: str
    recall_at_1: Figure
    alone: dict[str, float]


class GapResult(msgspec.Struct, frozen=True, kw_only=True):
    """How far two modalities lie apart as a whole (Liang et al. 2022).

    Attributes:
        one, other: the modalities.
        distance: between their mean vectors, 0..2.
        paired_cosine: mean over pairs.
        unpaired_cosine: mean over what does not belong together; None if there is no such.
    """

    one: str
    other: str
    distance: float
    paired_cosine: float
    unpaired_cosine: float | None


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """A whole evaluation.

    Attributes:
        bundle: name of the bundle.
        bundle_id: of its manifest.
        space_id: of its space.
        is_test_bundle: its weights are random.
        data: name of the manifest or recording.
        data_sha256: of everything that decides the features.
        split: rows used; None for all.
        windows: "each" or "one".
        seed: of every draw.
        resamples: of every interval.
        versions: packages that decide the figures.
        items: number of items.
        vectors: windows or texts embedded, by modality.
        zero_shot, retrieval, matrix, few_shot, arithmetic, gaps: what was measured.
        notes: what could not be, and why.
    """

    bundle: str
    bundle_id: str
    space_id: str
    is_test_bundle: bool
    data: str
    data_sha256: str
    split: str | None
    windows: str
    seed: int
    resamples: int
    versions: dict[str, str]
    items: int
    vectors: dict[str, int]
    zero_shot: tuple[ZeroShotResult, ...]
    retrieval: tuple[RetrievalResult, ...]
    matrix: tuple[Cell, ...]
    few_shot: tuple[ProbeResult, ...]
    arithmetic: tuple[ArithmeticResult, ...]
    gaps: tuple[GapResult, ...]
    notes: tuple[str, ...]
