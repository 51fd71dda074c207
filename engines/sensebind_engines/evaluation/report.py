# SPDX-License-Identifier: Apache-2.0
"""EVALUATION.md, written from the measured figures and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sensebind_engines.evaluation.intervals import Figure
    from sensebind_engines.evaluation.results import Evaluation

HEAT_MAP_NAME = "matrix.png"
_NOTHING = "-"


def markdown(evaluation: Evaluation) -> str:
    """The whole report."""
    parts = [_head(evaluation), _matrix(evaluation)]
    if evaluation.zero_shot:
        parts.append(_zero_shot(evaluation))
    if evaluation.retrieval:
        parts.append(_retrieval(evaluation))
    if evaluation.few_shot:
        parts.append(_few_shot(evaluation))
    if evaluation.arithmetic:
        parts.append(_arithmetic(evaluation))
    if evaluation.gaps:
        parts.append(_gaps(evaluation))
    if evaluation.notes:
        parts.append("## Notes\n\n" + "\n".join(f"- {note}" for note in evaluation.notes) + "\n")
    return "\n".join(parts)


def shown(figure: Figure | None, *, chance: bool = True) -> str:
    """A figure as text: value, 95 % interval and chance."""
    if figure is None or figure.value is None:
        return _NOTHING
    text = f"{figure.value:.3f}"
    if figure.low is not None and figure.high is not None:
        text += f" [{figure.low:.3f}, {figure.high:.3f}]"
    if chance and figure.chance is not None:
        text += f" (chance {figure.chance:.3f})"
    return text


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def _head(evaluation: Evaluation) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in evaluation.vectors.items())
    split = "all rows" if evaluation.split is None else f"split `{evaluation.split}`"
    warning = (
        "\nThis is a test bundle: its weights are random and these figures mean nothing.\n"
        if evaluation.is_test_bundle
        else ""
    )
    versions = ", ".join(f"{name} {version}" for name, version in evaluation.versions.items())
    return (
        f"# Evaluation of `{evaluation.bundle}` on `{evaluation.data}`\n{warning}\n"
        f"{evaluation.items} items of {split} (windows: {evaluation.windows}); vectors: {counts}.\n"
        f"Brackets hold 95 % bootstrap intervals: {evaluation.resamples} resamples of whole groups "
        "(recordings, or what the manifest calls a group), queries drawn and candidates kept; "
        "there are none for a single group. Ties count as a random order would. "
        f"Seed {evaluation.seed}.\n\n"
        f"Bundle `{evaluation.bundle_id}`, space `{evaluation.space_id}`, data "
        f"`{evaluation.data_sha256}`; {versions}.\n"
    )


def _matrix(evaluation: Evaluation) -> str:
    names = list(dict.fromkeys(cell.query for cell in evaluation.matrix))
    cells = {(cell.query, cell.target): cell for cell in evaluation.matrix}

    def told(query: str, target: str) -> str:
        cell = cells.get((query, target))
        if cell is None:
            return ""
        measure = "" if cell.measure == "R@1" else f"{cell.measure} "
        return f"{cell.relation}: {measure}{shown(cell.figure)}"

    rows = [[f"**{query}**", *(told(query, target) for target in names)] for query in names]
    return (
        "## Every modality against every other\n\n"
        f"R@1 of queries (rows) among targets (columns); see `{HEAT_MAP_NAME}`. Where rows have "
        "classes and no texts, the text column is balanced zero-shot accuracy. *Trained* pairs "
        "were in the loss, *emergent* ones were not; a dash: the data have no such pairs.\n\n"
        + table(["query", *names], rows)
    )


def _zero_shot(evaluation: Evaluation) -> str:
    rows = [
        [
            result.modality,
            result.relation,
            str(len(result.classes)),
            f"{result.top1.n} ({result.top1.clusters})",
            shown(result.top1),
            shown(result.top5),
            shown(result.balanced),
            shown(result.mean_average_precision),
        ]
        for result in evaluation.zero_shot
    ]
    headers = ["modality", "to text", "classes", "n (groups)", "top-1", "top-5", "balanced", "mAP"]
    recall = [
        f"- {result.modality}: " + ", ".join(f"{k} {v:.2f}" for k, v in result.recall.items())
        for result in evaluation.zero_shot
        if result.recall
    ]
    listing = "\nRecall by class:\n\n" + "\n".join(recall) + "\n" if recall else ""
    return "## Named by texts\n\n" + table(headers, rows) + listing


def _retrieval(evaluation: Evaluation) -> str:
    rows = [
        [
            f"{result.query} → {result.target}",
            result.relation,
            f"{result.recall['R@1'].n} ({result.recall['R@1'].clusters})",
            *(shown(figure) for figure in result.recall.values()),
        ]
        for result in evaluation.retrieval
    ]
    return (
        "## Retrieval\n\nThe partner of each query among all candidates that are another thing "
        "(another key, text, row, or moment further than a window away).\n\n"
        + table(["search", "pair", "n (groups)", "R@1", "R@5", "R@10"], rows)
    )


def _few_shot(evaluation: Evaluation) -> str:
    rows = [
        [
            result.modality,
            str(result.shots),
            f"{result.mean:.3f} ± {result.deviation:.3f}",
            f"{result.chance:.3f}",
            str(len(result.balanced)),
            " to ".join(str(n) for n in sorted({min(result.n), max(result.n)})),
            result.shots_from,
        ]
        for result in evaluation.few_shot
    ]
    headers = ["modality", "shots", "balanced, mean ± sd", "chance", "seeds", "n", "shots from"]
    return "## Few-shot probe\n\nLogistic regression on the vectors, shots per class.\n\n" + table(
        headers, rows
    )


def _arithmetic(evaluation: Evaluation) -> str:
    def alone(values: dict[str, float]) -> str:
        return ", ".join(f"{name} {value:.3f}" for name, value in values.items())

    rows = [
        [result.formula, str(result.recall_at_1.n), shown(result.recall_at_1), alone(result.alone)]
        for result in evaluation.arithmetic
    ]
    return (
        "## Arithmetic of embeddings\n\nR@1 of a sum, or of one item's vector carried over by the "
        "difference of another item's two (which is no candidate then), beside that of the single "
        "vectors.\n\n" + table(["formula", "n", "R@1", "alone"], rows)
    )


def _gaps(evaluation: Evaluation) -> str:
    def rows() -> Iterator[list[str]]:
        for result in evaluation.gaps:
            apart = result.unpaired_cosine
            yield [
                f"{result.one}, {result.other}",
                f"{result.distance:.3f}",
                f"{result.paired_cosine:.3f}",
                _NOTHING if apart is None else f"{apart:.3f}",
            ]

    headers = ["pair", "distance of means", "cosine of pairs", "cosine of others"]
    return "## Modality gap\n\n" + table(headers, rows())
