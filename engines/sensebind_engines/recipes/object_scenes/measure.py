# SPDX-License-Identifier: Apache-2.0
"""Figures of depth or thermal encoders named by texts they never saw, as `figures.json`.

    python -m sensebind_engines.recipes.object_scenes.measure DATA SENSE BUNDLE … --out figures.json

DATA is the folder the recipe built; bundles are of one encoder with several seeds, that of the one
to be shipped first.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
import numpy as np
import typer

from sensebind import Bundle
from sensebind.types import Modality
from sensebind.zero_shot import ZeroShot
from sensebind_engines.data.library import content_sha256
from sensebind_engines.evaluation.embedding import embed_entries
from sensebind_engines.evaluation.metrics import retrieval_chance, retrieval_credits
from sensebind_engines.evaluation.opening import open_entries
from sensebind_engines.recipes.figures import Failure, Reference, SenseFigures, write_figures
from sensebind_engines.recipes.measuring import balanced, class_table, measured
from sensebind_engines.recipes.object_scenes.baseline import baseline_said
from sensebind_engines.recipes.object_scenes.dataset import MANIFEST, PROMPTS
from sensebind_engines.recipes.object_scenes.told import (
    BASELINE,
    CEILING,
    CHOICES,
    FAILURES_RULE,
    LIMITS,
    NOTE,
    SEEN,
    SPLITS,
    SUMMARY,
)
from sensebind_engines.recipes.sample_recording.library import DEB_NAME, DEB_SHA256

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sensebind_engines.data.manifest import Entry
    from sensebind_engines.recipes.figures import Measurement

FAILURES = 5


class Answers(NamedTuple):
    """What one bundle makes of the views of a split, n of them.

    Attributes:
        seed: of the encoder's training.
        said, scores: (n,) classes by the sense, and their shares.
        pictured: (n,) classes by the colour picture of the same view.
        found, found_by: (n,) credit for finding the view's colour picture, and for being found.
        searched_chance: of both.
        groups: (n,) models.
        truth: (n,) classes.
    """

    seed: int
    said: NDArray[np.str_]
    scores: NDArray[np.float32]
    pictured: NDArray[np.str_]
    found: NDArray[np.float64]
    found_by: NDArray[np.float64]
    searched_chance: float
    groups: NDArray[np.str_]
    truth: NDArray[np.str_]


def measure(data: Path, sense: Modality, bundles: Sequence[str], split: str) -> SenseFigures:
    """Measure encoders of one sense.

    Args:
        data: folder the recipe built.
        sense: "depth" or "thermal".
        bundles: one per seed, the one to be shipped first.
        split: "test", or "dev" to choose settings.

    Raises:
        InputError: naming the row and file that cannot be used.
    """
    path = data / MANIFEST
    prompts = msgspec.json.decode(
        (data / PROMPTS).read_bytes(), type=dict[str, dict[str, list[str]]]
    )[sense.value]
    entries, _ = open_entries(str(path), split)
    answers = [_answers(name, sense, entries, prompts) for name in bundles]
    with Bundle.load(bundles[0]) as bundle:
        spec, told = bundle.manifest.encoders[sense], bundle.manifest.training
    _, guessed = baseline_said(path, sense, spec, split)
    return SenseFigures(
        sense=sense.value,
        binding="emergent",
        bound_to="vision",
        nature="simulated",
        summary=SUMMARY[sense],
        parameters=_parameters(sense, told),
        shipped_seed=answers[0].seed,
        measurements=_measurements(sense, answers, np.array(guessed), split),
        class_tables=(
            class_table(
                SPLITS[split],
                answers[0].truth,
                [one.said for one in answers],
                answers[0].groups,
                np.array(guessed),
            ),
        ),
        failures=_failures(answers[0]),
        failures_rule=FAILURES_RULE,
        limits=LIMITS[sense],
        choices=CHOICES[sense],
        provenance=_provenance(path, told),
    )


def _answers(
    name: str, sense: Modality, entries: Sequence[Entry], prompts: dict[str, list[str]]
) -> Answers:
    with Bundle.load(name) as bundle:
        embedded = embed_entries(bundle, entries)
        classes = ZeroShot(bundle, prompts)
        seed = _told(bundle.manifest.training, "training")["seed"]
    items, (own, pictures) = embedded.together(sense, Modality.VISION)
    keys, similarity = embedded.keys(items, (sense, Modality.VISION)), own @ pictures.T
    scores = classes.scores(own.astype(np.float32))
    labels = np.array(classes.labels)
    pictured = labels[classes.scores(pictures.astype(np.float32)).argmax(axis=1)]
    return Answers(
        seed=seed,
        said=labels[scores.argmax(axis=1)],
        scores=scores.max(axis=1),
        pictured=pictured,
        found=retrieval_credits(similarity, keys, 1),
        found_by=retrieval_credits(similarity.T, keys, 1),
        searched_chance=retrieval_chance(keys, 1),
        groups=np.array([item.entry.row.group for item in items]),
        truth=np.array([item.entry.row.labels(sense)[0] for item in items]),
    )


def _measurements(
    sense: Modality, answers: Sequence[Answers], guessed: NDArray[np.str_], split: str
) -> tuple[Measurement, ...]:
    first = answers[0]
    truth, classes = np.unique(first.truth, return_inverse=True)
    right = guessed == first.truth
    common: dict[str, Any] = {
        "split": SPLITS[split],
        "nature": "simulated",
        "group_kind": "objects",
        "seeds": tuple(one.seed for one in answers),
    }
    named = measured(
        np.stack([one.said == one.truth for one in answers]),
        first.groups,
        first.truth,
        right,
        name=f"{sense.value} named by text",
        measure="balanced accuracy",
        seen=SEEN,
        classes=len(truth),
        chance=1 / len(truth),
        baseline=Reference(name=BASELINE, value=balanced(right, classes)),
        ceiling=Reference(name=CEILING, value=balanced(first.pictured == first.truth, classes)),
        note=NOTE,
        **common,
    )
    searched = [
        measured(
            np.stack([getattr(one, field) for one in answers]),
            first.groups,
            name=name,
            measure="R@1",
            seen="unseen objects; the views of one object are not each other's rivals",
            classes=None,
            chance=first.searched_chance,
            **common,
        )
        for field, name in (
            ("found", f"{sense.value} finds the colour picture of its view"),
            ("found_by", f"the colour picture finds the {sense.value} of its view"),
        )
    ]
    return (named, *searched)


def _failures(shipped: Answers) -> tuple[Failure, ...]:
    wrong = shipped.said != shipped.truth
    labels = np.unique(shipped.truth)
    misses = [float(wrong[shipped.truth == label].mean()) for label in labels]
    found = []
    for label in labels[np.argsort(misses, kind="stable")[::-1][:FAILURES]]:
        places = np.flatnonzero(wrong & (shipped.truth == label))
        found += [_failure(shipped, int(place)) for place in places[:1]]
    return tuple(found)


def _failure(shipped: Answers, place: int) -> Failure:
    group = shipped.groups[place]
    view = place - int(np.flatnonzero(shipped.groups == group)[0])
    return Failure(
        item=f"{group}, view {view}",
        truth=str(shipped.truth[place]),
        said=str(shipped.said[place]),
        score=float(shipped.scores[place]),
    )


def _parameters(sense: Modality, told: dict[str, object]) -> int:
    from sensebind_engines.models.build import build_encoder
    from sensebind_engines.models.sizes import default_config

    config = _told(told, "nodes")[sense.value]
    encoder = default_config(sense, config["size"], _told(told, "dim"), config["encoder"])
    return sum(parameter.numel() for parameter in build_encoder(encoder).parameters())


def _provenance(path: Path, told: dict[str, object]) -> dict[str, Any]:
    data: Any = told["data"]
    return {
        "recipe": "object-scenes",
        "models": f"{DEB_NAME}, sha256 {DEB_SHA256}",
        "manifest_sha256": content_sha256(path),
        "training_data": data,
        "schedule": _told(told, "schedule"),
        "edges": _told(told, "edges"),
        "versions": told["versions"],
    }


def _told(training: dict[str, object], key: str) -> Any:  # noqa: ANN401 -- as a bundle holds it
    config: Any = training["config"]
    return config[key]


def main(
    data: Annotated[Path, typer.Argument(help="Folder the recipe built.")],
    sense: Annotated[Modality, typer.Argument(help="depth or thermal.")],
    bundles: Annotated[list[str], typer.Argument(help="One per seed, the shipped one first.")],
    out: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
    split: Annotated[str, typer.Option(help="test, or dev to choose settings.")] = "test",
) -> None:
    """Measure encoders of depth or thermal pictures against texts and a baseline."""
    figures = measure(data, sense, bundles, split)
    if out is not None:
        write_figures(out, figures)
    for one in figures.measurements:
        values = ", ".join(f"{value:.3f}" for value in one.values)
        typer.echo(f"{one.name}: {one.mean:.3f} ({values}) {one.interval}")
        typer.echo(f"  chance {one.chance:.3f}; {one.baseline} {one.difference}; {one.ceiling}")
    for row in figures.class_tables[0].rows:
        typer.echo(f"  {row.label}: {row.recall:.2f} of {row.n}, then {row.mistaken_for}")


if __name__ == "__main__":
    typer.run(main)
