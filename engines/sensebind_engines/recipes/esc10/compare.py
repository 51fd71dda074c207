# SPDX-License-Identifier: Apache-2.0
"""Encoders beside a baseline on the same clips, by window and by clip.

    python -m sensebind_engines.recipes.esc10.compare DATA BUNDLE …

DATA is the folder the recipe built; bundles of several seeds are averaged.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- typer reads the annotations
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
import numpy as np
import typer

from sensebind import Bundle
from sensebind.specs import LogMelSpec
from sensebind.types import Modality
from sensebind.zero_shot import ZeroShot
from sensebind_engines.data.config import DataConfig
from sensebind_engines.data.paired import ManifestData
from sensebind_engines.evaluation.embedding import clusters, embed_entries
from sensebind_engines.evaluation.intervals import Figure, mean_figure
from sensebind_engines.evaluation.metrics import class_credits
from sensebind_engines.evaluation.opening import open_entries
from sensebind_engines.evaluation.probe import LogisticRegression
from sensebind_engines.recipes.esc10.dataset import SOUNDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sensebind.specs import EncoderSpec
    from sensebind_engines.data.items import Item

    Floats = NDArray[np.float64]


class Scored(NamedTuple):
    """Windows of clips and how well each fits each class: float64 (n, classes)."""

    items: list[Item]
    scores: Floats


class Compared(NamedTuple):
    """A line of the table: accuracy of each seed, and their mean with its interval over recordings.

    The test fold has as many clips of every class, so accuracy by clip is balanced accuracy.
    """

    name: str
    seeds: tuple[float, ...]
    mean: Figure


def compare(data: Path, bundles: Sequence[str], split: str, manifest: str) -> list[Compared]:
    """Measure encoders and the baseline.

    Args:
        data: folder the recipe built.
        bundles: of one encoder with several seeds.
        split: what is measured; the baseline is trained on the split "train".
        manifest: name of the manifest in `data`.

    Raises:
        InputError: naming the row and file that cannot be used.
    """
    path = data / manifest
    prompts = msgspec.json.decode(
        (data / "prompts.json").read_bytes(), type=dict[str, dict[str, list[str]]]
    )["audio"]
    encoded = [_encoded(path, bundle, prompts, split) for bundle in bundles]
    spec = _audio_spec(bundles[0])
    statistics = [_baseline(path, spec, split)]
    return [
        _compared("encoder, windows", encoded),
        _compared("encoder, clips (mean of windows)", list(map(_by_clip, encoded))),
        _compared("statistics, windows", statistics),
        _compared("statistics, clips (mean of windows)", list(map(_by_clip, statistics))),
    ]


def _encoded(path: Path, name: str, prompts: dict[str, list[str]], split: str) -> Scored:
    entries, _ = open_entries(str(path), split)
    with Bundle.load(name) as bundle:
        found = embed_entries(bundle, entries)
        prototypes = ZeroShot(bundle, {label: prompts[label] for label in SOUNDS}).prototypes
    items = [found.items[number] for number in found.owners[Modality.AUDIO]]
    return Scored(items, found.vectors[Modality.AUDIO] @ prototypes.T.astype(np.float64))


def _audio_spec(name: str) -> EncoderSpec:
    with Bundle.load(name) as bundle:
        return bundle.manifest.encoders[Modality.AUDIO]


def _baseline(path: Path, spec: EncoderSpec, split: str) -> Scored:
    """Logistic regression on standardised means and deviations of the log-mel bands."""
    items, known = _statistics(path, spec, "train")
    asked, unknown = _statistics(path, spec, split)
    mean, deviation = known.mean(axis=0), known.std(axis=0) + 1e-9
    model = LogisticRegression((known - mean) / deviation, _truth(items), len(SOUNDS))
    logits = model.scores((unknown - mean) / deviation)
    logits -= logits.max(axis=1, keepdims=True)
    return Scored(asked, logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


def _statistics(path: Path, spec: EncoderSpec, split: str) -> tuple[list[Item], Floats]:
    """Mean and standard deviation of each band: float64 (windows, 2 bands)."""
    spec = _without_padding(spec)
    data = ManifestData(
        DataConfig(manifest=path.name, split=split), {Modality.AUDIO: spec}, folder=path.parent
    )
    items = [data.item(index) for index in range(len(data))]
    rows = []
    for index in range(len(data)):
        (features,) = data.batch(np.array([index]), None).features[Modality.AUDIO].values()
        bands = features.numpy()[0, 0].astype(np.float64)
        rows.append(np.concatenate([bands.mean(axis=1), bands.std(axis=1)]))
    return items, np.stack(rows)


def _without_padding(spec: EncoderSpec) -> EncoderSpec:
    """The same features with as many columns as the window has frames."""
    front_end, window = spec.preprocess, spec.window
    assert isinstance(front_end, LogMelSpec)
    assert window is not None
    frames = 1 + round((window.length_s - front_end.frame_length_s) / front_end.frame_shift_s)
    return msgspec.structs.replace(
        spec, preprocess=msgspec.structs.replace(front_end, frames=frames)
    )


def _by_clip(windows: Scored) -> Scored:
    """The mean of each clip's windows; for unit vectors the same order as their mean vector."""
    numbers = np.array([item.entry.number for item in windows.items])
    _, first, clip = np.unique(numbers, return_index=True, return_inverse=True)
    sums = np.zeros((len(first), windows.scores.shape[1]))
    np.add.at(sums, clip, windows.scores)
    means = sums / np.bincount(clip)[:, np.newaxis]
    return Scored([windows.items[place] for place in first], means)


def _truth(items: Sequence[Item]) -> NDArray[np.int64]:
    labels = list(SOUNDS)
    return np.array(
        [labels.index(item.entry.row.labels(Modality.AUDIO)[0]) for item in items], np.int64
    )


def _compared(name: str, seeds: Sequence[Scored]) -> Compared:
    items = seeds[0].items
    truth = np.eye(len(SOUNDS), dtype=bool)[_truth(items)]
    credit = np.stack([class_credits(scored.scores, truth, 1) for scored in seeds])
    mean = mean_figure(credit.mean(axis=0), clusters(items), 1 / len(SOUNDS), seed=0)
    return Compared(name, tuple(float(value) for value in credit.mean(axis=1)), mean)


def main(
    data: Annotated[Path, typer.Argument(help="Folder the recipe built.")],
    bundles: Annotated[list[str], typer.Argument(help="Bundles of one encoder, one per seed.")],
    split: Annotated[str, typer.Option(help="What is measured.")] = "test",
    manifest: Annotated[str, typer.Option(help="Manifest in the folder.")] = "final.jsonl",
) -> None:
    """Print the accuracy of encoders and of the baseline."""
    for name, seeds, mean in compare(data, bundles, split, manifest):
        each = ", ".join(f"{value:.3f}" for value in seeds)
        interval = f"[{mean.low:.3f}, {mean.high:.3f}]"
        typer.echo(f"{name}: {mean.value:.3f} {interval} (n {mean.n}; seeds {each})")


if __name__ == "__main__":
    typer.run(main)
