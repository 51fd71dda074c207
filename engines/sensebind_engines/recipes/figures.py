# SPDX-License-Identifier: Apache-2.0
"""What was measured of one sense of the demo bundle, as its recipe leaves it in `figures.json`.

The Markdown of these figures is made by `figures_text`, the intervals by `measuring`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from sensebind.errors import InputError
from sensebind.storage import atomic_path

if TYPE_CHECKING:
    from pathlib import Path

FIGURES_NAME = "figures.json"
FORMAT = 1

Binding = Literal["emergent", "text-bound", "anchor"]
Nature = Literal["simulated", "real", "mixed"]
_DIGITS = 6


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A 95 % interval."""

    low: float
    high: float


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A value to compare with: a baseline or a ceiling, and how it was made."""

    name: str
    value: float


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One figure on one split, over all training seeds.

    Attributes:
        name: what was asked, in a few words: "depth named by text".
        measure: "balanced accuracy", "accuracy", "R@1", ...
        split: which part of the data, and how it differs from training.
        nature: of the data measured on.
        seen: what of it training saw: "unseen objects", "seen classes, unseen paraphrases", ...
        n: windows or views.
        groups: independent ones among them.
        group_kind: what a group is: "objects", "clips", "episodes".
        classes: how many there were to choose from; None for retrieval.
        chance: what guessing gives.
        seeds: of the encoders.
        values: per seed.
        mean: of them.
        interval: of the mean, over groups and seeds; None with fewer than two groups.
        baseline: what the sense must beat; None if there is none.
        difference: interval of mean - baseline, paired by group; None without one.
        ceiling: of the paired image, on the same views; None if there is none.
        note: one sentence, or nothing.
    """

    name: str
    measure: str
    split: str
    nature: Nature
    seen: str
    n: int
    groups: int
    group_kind: str
    classes: int | None
    chance: float
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    mean: float
    interval: Interval | None = None
    baseline: Reference | None = None
    difference: Interval | None = None
    ceiling: Reference | None = None
    note: str = ""


class ClassRow(msgspec.Struct, frozen=True, kw_only=True):
    """One class: windows, groups, recall in the mean over the seeds, and where the rest went.

    `mistaken_for` is the class most often said instead by the shipped encoder, "" if none was;
    `baseline` is the baseline's recall.
    """

    label: str
    n: int
    groups: int
    recall: float
    mistaken_for: str = ""
    baseline: float | None = None


class ClassTable(msgspec.Struct, frozen=True, kw_only=True):
    """Recall per class on one split."""

    split: str
    rows: tuple[ClassRow, ...]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An example that the shipped encoder got wrong, chosen by a rule told in `SenseFigures`."""

    item: str
    truth: str
    said: str
    score: float


class SenseFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Everything told of one sense.

    Attributes:
        sense: the modality.
        binding: how it came to be comparable with text.
        bound_to: what it was trained against: "vision", "text".
        nature: of the data it was trained on.
        summary: two or three sentences: what this is and what it is not.
        parameters: of the encoder.
        shipped_seed: of the encoder in the bundle.
        measurements: the first is the headline.
        class_tables: recall per class.
        failures: examples of what went wrong.
        failures_rule: how they were chosen, a sentence.
        limits: sentences.
        choices: what was chosen, on which data, sentences.
        provenance: how it was made: recipe, seeds, data, hashes, versions; plain values.
    """

    sense: str
    binding: Binding
    bound_to: str
    nature: Nature
    summary: str
    parameters: int
    shipped_seed: int
    measurements: tuple[Measurement, ...]
    class_tables: tuple[ClassTable, ...] = ()
    failures: tuple[Failure, ...] = ()
    failures_rule: str = ""
    limits: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    provenance: dict[str, Any] = {}
    format: int = FORMAT


def write_figures(path: Path, figures: SenseFigures) -> None:
    """Write `figures.json`: equal figures, up to the sixth decimal, are equal bytes."""
    plain = _rounded(msgspec.to_builtins(figures))
    content = msgspec.json.format(msgspec.json.encode(plain), indent=1) + b"\n"
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def read_figures(path: Path) -> SenseFigures:
    """Read a `figures.json`.

    Raises:
        InputError: it cannot be read, is of another format, or has no measurement.
    """
    try:
        figures = msgspec.json.decode(path.read_bytes(), type=SenseFigures)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(
            f"cannot read the figures {path}: {error}; build the sense again"
        ) from None
    if figures.format != FORMAT or not figures.measurements:
        raise InputError(
            f"{path} is of format {figures.format} with {len(figures.measurements)} measurements, "
            f"expected format {FORMAT} and at least one; build the sense again"
        )
    return figures


def _rounded(value: Any) -> Any:  # noqa: ANN401 -- any tree of plain values
    """The same tree with its numbers rounded; refuses what JSON has no number for."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InputError(f"a figure is {value}, expected a finite number; leave it out instead")
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value
