# SPDX-License-Identifier: Apache-2.0
"""EVALUATION.md of the demo bundle: the figures of its senses as Markdown, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind_engines.evaluation.report import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sensebind_engines.recipes.figures import (
        ClassTable,
        Failure,
        Interval,
        Measurement,
        Reference,
        SenseFigures,
    )
    from sensebind_engines.recipes.vocabulary import Checked

_HEAD = """\
# Evaluation of the demo bundle

Every figure is the mean over all training seeds, with a 95 % bootstrap interval over groups
(objects, clips, episodes: what is independent) and seeds. *Difference* is the interval of mean less
baseline, drawn in pairs: where it holds 0, the sense is not shown to beat simple statistics.
*Emergent*: the sense was never trained with text. *Text-bound*: it was, so this is classification
behind text. *Simulated* figures say nothing of a real sensor.
"""
_NOTHING = "-"


def evaluation_text(
    senses: Sequence[SenseFigures], anchor: Mapping[str, float], checked: Checked
) -> str:
    """The whole text.

    Args:
        senses: figures of each, in the order they are told.
        anchor: what storage changed in the frozen towers.
        checked: how well the vocabulary tells prompts apart.
    """
    parts = [_HEAD, _overview(senses), *(_sense(one) for one in senses)]
    return "\n".join([*parts, _anchor(anchor), _vocabulary(checked)])


def _overview(senses: Sequence[SenseFigures]) -> str:
    rows = [[one.sense, one.binding, *_cells(one.measurements[0])] for one in senses]
    headers = ["sense", "to text", *_HEADERS]
    return "## In short\n\nOne figure per sense; all others are below.\n\n" + table(headers, rows)


_HEADERS = (
    "measured on", "data", "n (groups)", "classes", "chance", "baseline", "mean [95 %]",
    "difference", "ceiling",
)  # fmt: skip


def _cells(measurement: Measurement) -> list[str]:
    return [
        f"{measurement.split}; {measurement.seen}",
        measurement.nature.upper() if measurement.nature != "real" else "real",
        f"{measurement.n} ({measurement.groups} {measurement.group_kind})",
        str(measurement.classes or _NOTHING),
        f"{measurement.chance:.3f}",
        _reference(measurement.baseline),
        f"**{measurement.mean:.3f}** {_interval(measurement.interval)}".strip(),
        _interval(measurement.difference, signed=True) or _NOTHING,
        _reference(measurement.ceiling),
    ]


def _sense(figures: SenseFigures) -> str:
    nature = "" if figures.nature == "real" else f", {figures.nature.upper()}"
    parts = [
        f"## {figures.sense.capitalize()}: {figures.binding.upper()}{nature}\n",
        figures.summary + "\n",
        (
            f"{figures.parameters} parameters, bound to {figures.bound_to}; the shipped encoder is "
            f"that of seed {figures.shipped_seed}.\n"
        ),
        _measurements(figures.measurements),
        *(_class_table(one) for one in figures.class_tables),
        _failures(figures.failures, figures.failures_rule),
        _listed("Limits", figures.limits),
        _listed("What was chosen, and on what", figures.choices),
    ]
    return "\n".join(part for part in parts if part)


def _measurements(measurements: Iterable[Measurement]) -> str:
    rows, notes = [], []
    for one in measurements:
        rows.append([one.name, one.measure, *_cells(one), _seeds(one)])
        if one.note:
            notes.append(f"{one.name}, {one.split}: {one.note}")
    text = table(["question", "measure", *_HEADERS, "by seed"], rows)
    return text + ("\n" + _bullets(notes) if notes else "")


def _seeds(measurement: Measurement) -> str:
    pairs = zip(measurement.seeds, measurement.values, strict=True)
    return ", ".join(f"{seed}: {value:.3f}" for seed, value in pairs)


def _class_table(shown: ClassTable) -> str:
    rows = [
        [
            row.label,
            f"{row.n} ({row.groups})",
            f"{row.recall:.2f}",
            _NOTHING if row.baseline is None else f"{row.baseline:.2f}",
            row.mistaken_for or _NOTHING,
        ]
        for row in shown.rows
    ]
    headers = ["class", "n (groups)", "recall", "baseline", "most often taken for"]
    return f"### By class, {shown.split}\n\n" + table(headers, rows)


def _failures(failures: Sequence[Failure], rule: str) -> str:
    if not failures:
        return ""
    lines = [
        f"{one.item}: is {one.truth}, was called {one.said} ({one.score:.2f})" for one in failures
    ]
    return "### What went wrong\n\n" + (f"{rule}\n\n" if rule else "") + _bullets(lines)


def _listed(title: str, sentences: Sequence[str]) -> str:
    return f"### {title}\n\n{_bullets(sentences)}" if sentences else ""


def _bullets(lines: Iterable[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)


def _anchor(figures: Mapping[str, float]) -> str:
    def rows() -> Iterator[list[str]]:
        for name, value in sorted(figures.items()):
            shown = f"{value:.2g}" if value < 1e-3 else f"{value:.6f}"
            yield [name.replace("_", " "), shown]

    return (
        "## Vision and text: the frozen anchor\n\n"
        "EfficientNet-Lite0, its ten most likely ImageNet classes averaged in MiniLM's text space "
        "(ConSE): it\nknows 1000 nouns, no actions and few scenes. Nothing was trained here. What "
        "FP16 (vision) and INT8\n(text) weights changed:\n\n" + table(["figure", "value"], rows())
    )


def _vocabulary(checked: Checked) -> str:
    return f"""\
## Prompts outside of what the senses learnt

`vocabulary.npz` holds what each sense learnt, as text embeddings. A prompt whose cosine to the
nearest of them is below {checked.threshold:.2f} is told as one of low confidence. That was chosen
on {checked.chosen_on} prompts against the image tower's class names. Of {checked.measured_on}
others, {checked.known_kept:.0%} of those that name a known thing in other words pass, and
{checked.unknown_told:.0%} of those that name no such thing are told. It is a hint, not a test.
"""


def _reference(reference: Reference | None) -> str:
    return _NOTHING if reference is None else f"{reference.value:.3f} ({reference.name})"


def _interval(interval: Interval | None, *, signed: bool = False) -> str:
    if interval is None:
        return ""
    sign = "+" if signed else ""
    return f"[{interval.low:{sign}.3f}, {interval.high:{sign}.3f}]"
