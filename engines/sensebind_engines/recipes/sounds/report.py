# SPDX-License-Identifier: Apache-2.0
"""Encoders of several seeds beside the baseline, on every split, as `figures.json`.

    python -m sensebind_engines.recipes.sounds.report DATA FIGURES BUNDLE …

DATA is the folder the recipe built, FIGURES the file that is written; the first bundle is the one
that is shipped.
"""

from __future__ import annotations

import math
from pathlib import Path  # noqa: TC003 -- typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
import numpy as np
import onnx
import typer

from sensebind import Bundle
from sensebind.bundle_folder import open_bundle
from sensebind.types import Modality
from sensebind_engines.recipes.esc10.dataset import SOUNDS
from sensebind_engines.recipes.figures import Failure, Reference, SenseFigures, write_figures
from sensebind_engines.recipes.measuring import balanced, class_table, measured
from sensebind_engines.recipes.sounds.events import EVENTS
from sensebind_engines.recipes.sounds.instruments import INSTRUMENTS
from sensebind_engines.recipes.sounds.scoring import Statistics, by_clip, score_encoder
from sensebind_engines.recipes.sounds.told import CHOICES, FAILURES_RULE, LIMITS, SUMMARY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensebind_engines.recipes.figures import ClassTable, Interval, Measurement, Nature
    from sensebind_engines.recipes.sounds.scoring import Prompts, Scored

_BASELINE = "logistic regression on log-mel means and deviations"
_MOST_FAILURES = 12


class Test(NamedTuple):
    """A split: what is named in it, how it differs from training, and what a clip is there."""

    split: str
    kind: str
    told: str
    nature: Nature
    labels: tuple[str, ...]
    seen: str


TESTS = (
    Test(
        "recordings",
        "recorded sounds",
        "ESC-10 fold 4: other recordings than those of training (folds 1 to 3)",
        "real",
        tuple(SOUNDS),
        "seen classes, unseen recordings, unseen wordings",
    ),
    Test(
        "notes",
        "instruments",
        "pitches and melodies that training never plays",
        "simulated",
        tuple(INSTRUMENTS),
        "seen instruments, unseen pitches, melodies and wordings",
    ),
    Test(
        "presets",
        "other makes of instruments",
        "programs, pitches and melodies that training never plays",
        "simulated",
        tuple(label for label, one in INSTRUMENTS.items() if one.held_out is not None),
        "seen classes, unseen instruments, pitches, melodies and wordings",
    ),
    Test(
        "events",
        "synthesised events",
        "tones, rates and bands above all of training's",
        "simulated",
        tuple(EVENTS),
        "seen classes, unseen parameters and wordings",
    ),
)


class Tested(NamedTuple):
    """Windows of one split: as each seed's encoder scores them, and as the baseline does."""

    test: Test
    encoders: tuple[Scored, ...]
    everything: tuple[Scored, ...]
    statistics: Scored


def report(
    data: Path,
    bundles: Sequence[str],
    manifest: str = "final.jsonl",
    seeds: Sequence[int] | None = None,
) -> SenseFigures:
    """Measure encoders of several seeds.

    Args:
        data: folder the recipe built.
        bundles: one per seed; the first is the one that is shipped.
        manifest: "final.jsonl", or "choosing.jsonl", which has no split "presets".
        seeds: of the bundles; from 0 on if None.

    Raises:
        InputError: naming the row and file that cannot be used.
    """
    path = data / manifest
    statistics = Statistics(path, bundles[0])
    tested = [_tested(path, bundles, statistics, t) for t in TESTS if _has(path, t.split)]
    numbers = tuple(range(len(bundles)) if seeds is None else seeds)
    return SenseFigures(
        sense="audio",
        binding="text-bound",
        bound_to="text",
        nature="mixed",
        summary=SUMMARY,
        parameters=_parameters(bundles[0]),
        shipped_seed=numbers[0],
        measurements=tuple(one for part in tested for one in _measurements(part, numbers)),
        class_tables=tuple(map(_class_table, tested)),
        failures=tuple(_failures(tested[0])),
        failures_rule=FAILURES_RULE,
        limits=LIMITS,
        choices=CHOICES,
        provenance=_provenance(bundles),
    )


def _has(manifest: Path, split: str) -> bool:
    return f'"split":"{split}"' in manifest.read_text("utf-8")


def _tested(manifest: Path, bundles: Sequence[str], statistics: Statistics, test: Test) -> Tested:
    prompts = _prompts(manifest.parent)
    everything = tuple(score_encoder(manifest, name, prompts, test.split) for name in bundles)
    encoders = tuple(scored.among(test.labels) for scored in everything)
    return Tested(test, encoders, everything, statistics.score(test.split, test.labels))


def _prompts(data: Path) -> Prompts:
    kind = dict[str, dict[str, list[str]]]
    return msgspec.json.decode((data / "prompts.json").read_bytes(), type=kind)["audio"]


def _measurements(tested: Tested, seeds: tuple[int, ...]) -> list[Measurement]:
    """By clip, by window, and by clip among the classes of all tests."""
    clips = tested._replace(
        encoders=tuple(map(by_clip, tested.encoders)), statistics=by_clip(tested.statistics)
    )
    name = f"{tested.test.kind} named by text"
    among_all = tuple(map(by_clip, tested.everything))
    count = len(among_all[0].labels)
    return [
        _measured(f"{name}, clips", clips.encoders, clips, seeds, clips.statistics),
        _measured(f"{name}, windows of 2 s", tested.encoders, tested, seeds, tested.statistics),
        _measured(f"{name}, clips, among all {count} classes", among_all, clips, seeds, None),
    ]


def _measured(
    name: str,
    encoders: Sequence[Scored],
    tested: Tested,
    seeds: tuple[int, ...],
    baseline: Scored | None,
) -> Measurement:
    first, test = encoders[0], tested.test
    told: dict[str, Any] = {}
    if baseline is not None:
        value = balanced(baseline.credit, baseline.truth)
        told = {"baseline": Reference(name=_BASELINE, value=value)}
    return measured(
        np.stack([scored.credit for scored in encoders]),
        first.groups,
        first.truth,
        None if baseline is None else baseline.credit,
        name=name,
        measure="balanced accuracy",
        split=test.told,
        nature=test.nature,
        seen=test.seen,
        group_kind="recordings" if test.nature == "real" else "clips",
        classes=len(first.labels),
        chance=1 / len(first.labels),
        seeds=seeds,
        **told,
    )


def _class_table(tested: Tested) -> ClassTable:
    """Recall by clip."""
    clips = [by_clip(scored) for scored in tested.encoders]
    truth = np.array(clips[0].labels)[clips[0].truth]
    said = [scored.said for scored in clips]
    baseline = by_clip(tested.statistics).said
    return class_table(tested.test.split, truth, said, clips[0].groups, baseline)


def _failures(tested: Tested) -> list[Failure]:
    """Clips of the shipped encoder; see `FAILURES_RULE`."""
    clips = by_clip(tested.encoders[0])
    truth, rows = clips.truth, np.arange(len(clips.items))
    lead = clips.scores.max(axis=1) - clips.scores[rows, truth]
    worst = [int(place) for place in np.argsort(-lead, kind="stable") if lead[place] > 0]
    return [
        Failure(
            item=clips.items[place].entry.names([Modality.AUDIO])[0].rsplit("/")[-1],
            truth=clips.labels[truth[place]],
            said=str(clips.said[place]),
            score=float(lead[place]),
        )
        for place in worst[:_MOST_FAILURES]
    ]


def _provenance(bundles: Sequence[str]) -> dict[str, Any]:
    """Encoders, and what the first one's run recorded of itself."""
    with Bundle.load(bundles[0]) as bundle:
        kept = {"data", "versions"} & bundle.manifest.training.keys()
        run = {name: bundle.manifest.training[name] for name in sorted(kept)}
    return {"recipe": "sounds", "encoder_ids": list(map(_encoder_id, bundles)), **run}


def _encoder_id(name: str) -> str:
    with Bundle.load(name) as bundle:
        return bundle.manifest.encoder_id(Modality.AUDIO)


def _parameters(name: str) -> int:
    """Numbers of the shipped graph."""
    folder = open_bundle(name)
    graph = onnx.load(folder.path / folder.manifest.encoders[Modality.AUDIO].onnx).graph
    kept = [one for one in graph.initializer if one.data_type == onnx.TensorProto.FLOAT]
    return int(sum(math.prod(one.dims) for one in kept))


def main(
    data: Annotated[Path, typer.Argument(help="Folder the recipe built.")],
    figures: Annotated[Path, typer.Argument(help="File to write, figures.json.")],
    bundles: Annotated[list[str], typer.Argument(help="Bundles of one encoder, one per seed.")],
    manifest: Annotated[str, typer.Option(help="Manifest in the folder.")] = "final.jsonl",
) -> None:
    """Measure encoders and the baseline on every split."""
    found = report(data, bundles, manifest)
    write_figures(figures, found)
    for one in found.measurements:
        baseline = "" if one.baseline is None else f"; baseline {one.baseline.value:.3f}"
        typer.echo(f"{one.name}: {one.mean:.3f} {_ends(one.interval)}{baseline} (n {one.n})")


def _ends(interval: Interval | None) -> str:
    return "" if interval is None else f"[{interval.low:.3f}, {interval.high:.3f}]"


if __name__ == "__main__":
    typer.run(main)
