# SPDX-License-Identifier: Apache-2.0
"""Sounds that were bound to pictures alone, named by text, beside what the pictures are named.

    python -m sensebind_engines.recipes.sound_pictures.measure DATA FIGURES BUNDLE …

DATA is the folder the recipe built, FIGURES the file that is written.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np
import typer

from sensebind.storage import atomic_path
from sensebind.types import Modality
from sensebind_engines.recipes.esc10.dataset import SOUNDS
from sensebind_engines.recipes.figures import Reference
from sensebind_engines.recipes.measuring import balanced, measured
from sensebind_engines.recipes.sound_pictures.things import THINGS
from sensebind_engines.recipes.sounds.scoring import Scored, by_clip, label_of, score_encoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensebind_engines.recipes.figures import Measurement, Nature


def measure(data: Path, bundles: Sequence[str]) -> list[Measurement]:
    """Clips of the test side: recordings alone, what was made alone, and all, in this order.

    All are named among all classes. The ceiling is the balanced accuracy of the test pictures.

    Args:
        data: folder the recipe built.
        bundles: one per seed, from 0 on.

    Raises:
        InputError: naming the row and file that cannot be used.
    """
    prompts = {label: list(thing.prompts) for label, thing in THINGS.items()}
    manifest = data / "manifest.jsonl"
    heard = [by_clip(score_encoder(manifest, name, prompts, "test")) for name in bundles]
    seen = score_encoder(manifest, bundles[0], prompts, "test", Modality.VISION)
    made = [label for label in THINGS if label not in SOUNDS]
    recorded = [label for label in THINGS if label in SOUNDS]
    return [
        _measured("recordings of ESC-10 fold 4", "real", heard, seen, recorded),
        _measured("renders and events", "simulated", heard, seen, made),
        _measured("all clips", "mixed", heard, seen, list(THINGS)),
    ]


def _measured(
    split: str, nature: Nature, heard: Sequence[Scored], seen: Scored, labels: Sequence[str]
) -> Measurement:
    kept = [_of(one, labels) for one in heard]
    pictures = _of(seen, labels)
    ceiling = Reference(
        name="the pictures, named by text",
        value=balanced(pictures.credit, np.unique(pictures.truth, return_inverse=True)[1]),
    )
    return measured(
        np.stack([one.credit for one in kept]),
        kept[0].groups,
        kept[0].truth,
        name="sound named by text, clips",
        measure="balanced accuracy",
        split=split,
        nature=nature,
        seen="sounds bound to pictures, never to text; seen things, unseen sounds",
        group_kind="recordings and files",
        classes=len(THINGS),
        chance=1 / len(THINGS),
        seeds=tuple(range(len(heard))),
        ceiling=ceiling,
    )


def _of(scored: Scored, labels: Sequence[str]) -> Scored:
    """What is of some classes, still named among all."""
    places = [place for place, item in enumerate(scored.items) if label_of(item) in labels]
    return Scored([scored.items[place] for place in places], scored.labels, scored.scores[places])


def main(
    data: Annotated[Path, typer.Argument(help="Folder the recipe built.")],
    figures: Annotated[Path, typer.Argument(help="File to write.")],
    bundles: Annotated[list[str], typer.Argument(help="Bundles of one encoder, one per seed.")],
) -> None:
    """Measure sounds that never met a text, and the pictures they met instead."""
    found = measure(data, bundles)
    with atomic_path(figures) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    for one in found:
        assert one.interval is not None
        assert one.ceiling is not None
        interval = f"[{one.interval.low:.3f}, {one.interval.high:.3f}]"
        typer.echo(
            f"{one.split}: {one.mean:.3f} {interval} (n {one.n}), pictures {one.ceiling.value:.3f}"
        )


if __name__ == "__main__":
    typer.run(main)
