# SPDX-License-Identifier: Apache-2.0
"""Encoders of several seeds beside baselines, on every split and on real motion, as figures.

    python -m sensebind_engines.recipes.imu_motion.report DATA FIGURES BUNDLE …

DATA is the folder the recipe built, FIGURES the file that is written; the bundles are those of the
seeds from 0 on, the first one is shipped.
"""

from __future__ import annotations

import math
from pathlib import Path  # noqa: TC003 -- typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
import onnx
import typer

from sensebind_engines.recipes.figures import Failure, Reference, SenseFigures, write_figures
from sensebind_engines.recipes.imu_motion import told
from sensebind_engines.recipes.imu_motion.answers import Said, Trained, fit_baselines, say
from sensebind_engines.recipes.imu_motion.dataset import MANIFEST, load_prompts
from sensebind_engines.recipes.imu_motion.real import at_rest, exercises
from sensebind_engines.recipes.imu_motion.windows import read_windows
from sensebind_engines.recipes.measuring import balanced, class_table, measured
from sensebind_engines.recipes.simulation.labels import CLASSES, UNSEEN_CLASS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from sensebind_engines.recipes.figures import ClassTable, Measurement
    from sensebind_engines.recipes.imu_motion.baselines import Baseline
    from sensebind_engines.recipes.imu_motion.windows import Windows

SPLITS = {
    "shift": "shift: robots, floors, mounts and IMUs out of the training ranges",
    "test": "test: new episodes of the training ranges",
}
_UNSEEN_TEXTS = "seen classes, unseen paraphrases"
_MOST_FAILURES = 6


class Tested(NamedTuple):
    """Windows of the classes of one split, and what every seed says with the test prompts."""

    split: str
    windows: Windows
    said: Said
    vectors: list[NDArray[np.float32]]


def report(
    data: Path,
    bundles: Mapping[int, Path],
    watch: Path | None = None,
    rest: Path | None = None,
) -> SenseFigures:
    """Measure encoders.

    Args:
        data: folder the recipe built.
        bundles: folders of exported encoders by seed; the first is the one that is shipped.
        watch: folder of the recipe `imu-watch`; not measured on if None.
        rest: recording of an ADIS16405 at rest (`real.at_rest`); likewise.

    Raises:
        InputError: naming the row and file that cannot be used.
    """
    trained = Trained(bundles)
    manifest = data / MANIFEST
    known = read_windows(manifest, "train", trained.spec).of(CLASSES)
    baselines = fit_baselines(known, CLASSES)
    everything = {split: read_windows(manifest, split, trained.spec) for split in SPLITS}
    tested = [_tested(trained, split, windows) for split, windows in everything.items()]
    measurements = [
        *(one for part in tested for one in _named(part, baselines, trained.seeds)),
        *_other_prompts(trained, tested[0]),
        *(_unseen(trained, split, windows) for split, windows in everything.items()),
    ]
    if watch is not None:
        measurements.append(exercises(trained, watch))
    if rest is not None:
        measurements.append(at_rest(trained, rest))
    return SenseFigures(
        sense="imu",
        binding="text-bound",
        bound_to="text",
        nature="simulated",
        summary=told.SUMMARY,
        parameters=_parameters(next(iter(bundles.values())) / trained.spec.onnx),
        shipped_seed=trained.seeds[0],
        measurements=tuple(measurements),
        class_tables=tuple(_class_table(part, baselines) for part in tested),
        failures=tuple(_failures(tested[0])),
        failures_rule=told.FAILURES_RULE,
        limits=(*told.LIMITS, *_not_better(measurements)),
        choices=told.CHOICES,
        provenance=_provenance(trained, len(known.labels)),
    )


def _tested(trained: Trained, split: str, windows: Windows) -> Tested:
    windows = windows.of(CLASSES)
    vectors = trained.vectors(windows)
    said = say(vectors, trained.prototypes(load_prompts().test), CLASSES)
    return Tested(split, windows, said, vectors)


def _named(
    tested: Tested, baselines: Mapping[str, Baseline], seeds: tuple[int, ...]
) -> Iterator[Measurement]:
    """The windows of a split named by text, beside each baseline."""
    windows = tested.windows
    truth = windows.truth(CLASSES)
    for name, baseline in baselines.items():
        right = baseline.predict(windows.features) == truth
        yield measured(
            tested.said.credit(windows),
            windows.groups,
            windows.labels,
            right,
            **_simulated(tested.split, seeds),
            name="motion named by text",
            baseline=Reference(name=name, value=balanced(right, truth)),
        )


def _other_prompts(trained: Trained, tested: Tested) -> Iterator[Measurement]:
    """The same windows with other wordings: the demo's, and one per class instead of three."""
    prompts = load_prompts()
    count = min(len(texts) for texts in prompts.test.values())
    single = [
        {label: texts[place : place + 1] for label, texts in prompts.test.items()}
        for place in range(count)
    ]
    others = {
        "motion named by the demo's prompts": [prompts.demo],
        f"motion named by one prompt per class, mean over {count}": single,
    }
    for name, choices in others.items():
        credit = [
            say(tested.vectors, trained.prototypes(texts), CLASSES).credit(tested.windows)
            for texts in choices
        ]
        yield measured(
            np.mean(credit, axis=0),
            tested.windows.groups,
            tested.windows.labels,
            **_simulated(tested.split, trained.seeds),
            name=name,
        )


def _unseen(trained: Trained, split: str, windows: Windows) -> Measurement:
    """Recall of the class that is never trained, offered beside the others."""
    prompts = load_prompts()
    labels = (*CLASSES, UNSEEN_CLASS)
    windows = windows.of((UNSEEN_CLASS,))
    table = trained.prototypes({**prompts.test, **prompts.unseen})
    said = say(trained.vectors(windows), table, labels)
    first, counts = np.unique(said.names[0], return_counts=True)
    calls = ", ".join(f"{name} {count}" for name, count in zip(first, counts, strict=True))
    fields = {
        **_simulated(split, trained.seeds),
        "measure": "recall",
        "seen": "unseen class",
        "classes": len(labels),
        "chance": 1 / len(labels),
    }
    return measured(
        said.credit(windows),
        windows.groups,
        **fields,
        name=f"a class that was never taught ({UNSEEN_CLASS}) among eight",
        note=f"the shipped encoder called its windows {calls}.",
    )


def _not_better(measurements: Sequence[Measurement]) -> Iterator[str]:
    """Baselines that the encoder is not shown to beat, in words."""
    for one in measurements:
        if one.baseline is not None and one.difference is not None and one.difference.low <= 0:
            yield (
                f"On {one.split.split(':')[0]} the encoder is not shown to be better than "
                f"{one.baseline.name}: what it adds is a place in the space of texts."
            )


def _simulated(split: str, seeds: tuple[int, ...]) -> dict[str, Any]:
    """What the measurements of a split have in common."""
    return {
        "measure": "balanced accuracy",
        "split": SPLITS[split],
        "nature": "simulated",
        "seen": _UNSEEN_TEXTS,
        "group_kind": "episodes",
        "classes": len(CLASSES),
        "chance": 1 / len(CLASSES),
        "seeds": seeds,
    }


def _class_table(tested: Tested, baselines: Mapping[str, Baseline]) -> ClassTable:
    windows = tested.windows
    baseline = next(iter(baselines.values())).predict(windows.features)
    return class_table(
        tested.split,
        windows.labels,
        tested.said.names,
        windows.groups,
        np.array(CLASSES)[baseline],
    )


def _failures(tested: Tested) -> Iterator[Failure]:
    """Windows of the shipped encoder; see `FAILURES_RULE`."""
    windows, cosines = tested.windows, tested.said.cosines[0]
    truth = windows.truth(CLASSES)
    lead = cosines.max(axis=1) - cosines[np.arange(len(truth)), truth]
    seen: set[tuple[str, str]] = set()
    for place in np.argsort(-lead, kind="stable"):
        label, group = str(windows.labels[place]), str(windows.groups[place])
        if lead[place] <= 0 or len(seen) == _MOST_FAILURES:
            return
        if (label, group) not in seen:
            seen.add((label, group))
            yield Failure(
                item=windows.items[place],
                truth=label,
                said=str(tested.said.names[0][place]),
                score=float(lead[place]),
            )


def _provenance(trained: Trained, windows: int) -> dict[str, Any]:
    kept = {"data", "versions"} & trained.training.keys()
    run = {name: trained.training[name] for name in sorted(kept)}
    return {
        "recipe": "imu-motion",
        "training_windows_a_second_apart": windows,
        "encoder_ids": trained.encoder_ids,
        **run,
    }


def _parameters(graph: Path) -> int:
    """Numbers of the shipped graph."""
    weights = onnx.load(graph).graph.initializer
    kept = [one for one in weights if one.data_type == onnx.TensorProto.FLOAT]
    return int(sum(math.prod(one.dims) for one in kept))


def main(
    data: Annotated[Path, typer.Argument(help="Folder the recipe built.")],
    figures: Annotated[Path, typer.Argument(help="File to write, figures.json.")],
    bundles: Annotated[list[Path], typer.Argument(help="Bundles of one encoder, one per seed.")],
    watch: Annotated[
        Path | None, typer.Option(help="Folder of the recipe imu-watch, to measure on as well.")
    ] = None,
    rest: Annotated[
        Path | None, typer.Option(help="An ADIS16405 at rest (.npz), to measure on as well.")
    ] = None,
) -> None:
    """Measure encoders and baselines on every split."""
    found = report(data, dict(enumerate(bundles)), watch, rest)
    write_figures(figures, found)
    for one in found.measurements:
        told_baseline = "" if one.baseline is None else f"; {one.baseline.value:.3f} by statistics"
        typer.echo(f"{one.split}: {one.name}: {one.mean:.3f}{told_baseline} (n {one.n})")


if __name__ == "__main__":
    typer.run(main)
