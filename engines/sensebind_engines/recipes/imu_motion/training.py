# SPDX-License-Identifier: Apache-2.0
"""Encoders of several seeds and what they can do, from the data the recipe built.

    python -m sensebind_engines.recipes.imu_motion.training DATA OUT --seeds 3

leaves in OUT a run and a bundle for every seed and `figures.json`.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from sensebind_engines.export.run import export_run
from sensebind_engines.recipes.figures import FIGURES_NAME, write_figures
from sensebind_engines.recipes.imu_motion.dataset import CONFIG
from sensebind_engines.recipes.imu_motion.report import report
from sensebind_engines.training.config_file import load_config
from sensebind_engines.training.run import train

if TYPE_CHECKING:
    from collections.abc import Sequence

LICENCE = "Apache-2.0 AND MIT"
"""Ours, and that of the text tower (MiniLM) the bundle takes over."""


def train_encoder(
    data: Path, out: Path, seed: int, *, anchor: str = "demo", settings: Sequence[str] = ()
) -> Path:
    """Train one encoder and export it.

    The bundle's manifest holds its `EncoderSpec`, `imu.onnx` its graph and `golden.npz` its golden
    features and embeddings. A run that was stopped goes on; a bundle that is there is kept.

    Args:
        data: folder the recipe built.
        out: receives `run-<seed>` and the bundle `seed-<seed>`.
        seed: of the weights and of every draw.
        anchor: bundle whose text tower it is bound to.
        settings: `a.b=c` texts that override the configuration.

    Returns:
        folder of the bundle.

    Raises:
        InputError, ConfigError, TrainingError, BundleError: as `sensebind train` and `export`.
    """
    bundle = out / f"seed-{seed}"
    if bundle.exists():
        return bundle
    own = [f"training.seed={seed}", f"nodes.text.anchor={anchor}"]
    run = train(load_config(data / CONFIG, [*own, *settings]), out / f"run-{seed}", resume=True)
    export_run(run.path, bundle, licence=LICENCE)
    return bundle


def main(
    data: Annotated[Path, typer.Argument(help="Folder the recipe built.")],
    out: Annotated[Path, typer.Argument(help="Receives runs, bundles and figures.json.")],
    seeds: Annotated[int, typer.Option(help="How many, from 0; the first is shipped.")] = 3,
    anchor: Annotated[str, typer.Option(help="Bundle whose text tower is bound to.")] = "demo",
    watch: Annotated[
        Path | None, typer.Option(help="Folder of the recipe imu-watch, to measure on as well.")
    ] = None,
    rest: Annotated[
        Path | None, typer.Option(help="An ADIS16405 at rest (.npz), to measure on as well.")
    ] = None,
) -> None:
    """Train, export and measure."""
    bundles = {seed: train_encoder(data, out, seed, anchor=anchor) for seed in range(seeds)}
    write_figures(out / FIGURES_NAME, report(data, bundles, watch, rest))
    typer.echo(f"trained {len(bundles)} encoders; figures: {out / FIGURES_NAME}")


if __name__ == "__main__":
    typer.run(main)
