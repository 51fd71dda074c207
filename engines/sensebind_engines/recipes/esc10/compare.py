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

from sensebind_engines.evaluation.intervals import Figure, mean_figure
from sensebind_engines.recipes.sounds.scoring import Statistics, by_clip, score_encoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensebind_engines.recipes.sounds.scoring import Scored


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
    encoded = [score_encoder(path, bundle, prompts, split) for bundle in bundles]
    statistics = [Statistics(path, bundles[0]).score(split, tuple(prompts))]
    return [
        _compared("encoder, windows", encoded),
        _compared("encoder, clips (mean of windows)", list(map(by_clip, encoded))),
        _compared("statistics, windows", statistics),
        _compared("statistics, clips (mean of windows)", list(map(by_clip, statistics))),
    ]


def _compared(name: str, seeds: Sequence[Scored]) -> Compared:
    credit = np.stack([scored.credit for scored in seeds])
    chance = 1 / len(seeds[0].labels)
    mean = mean_figure(credit.mean(axis=0), seeds[0].groups, chance, seed=0)
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
