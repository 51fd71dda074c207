# SPDX-License-Identifier: Apache-2.0
"""The audio encoder of the demo bundle, with its figures, prompts, vocabulary and credits."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import msgspec

from sensebind.storage import atomic_path
from sensebind_engines.export.run import HalfAsked, export_run
from sensebind_engines.recipes.figures import FIGURES_NAME, write_figures
from sensebind_engines.recipes.sounds.dataset import CONFIG, CREDITS, build, prompts, texts
from sensebind_engines.recipes.sounds.report import report
from sensebind_engines.training.config_file import load_config
from sensebind_engines.training.run import train

if TYPE_CHECKING:
    from pathlib import Path

BUNDLE = "bundle"
"""Folder of the bundle of the encoder that is shipped."""

SEEDS = 3
"""Encoders that are measured; the first is shipped."""

LICENCE = "Apache-2.0 AND MIT"
"""Ours, and that of the text tower (MiniLM) the bundle takes over."""


def build_sense(out: Path, cache: Path, *, seed: int = 0, anchor: str = "demo") -> Path:
    """Build the data, train and export an encoder per seed, and measure them.

    What is there already is kept, so a build that was interrupted goes on.

    Args:
        out: receives `bundle` with the first seed's encoder, `figures.json`, `prompts.json` (the
            wordings of the evaluation by class), `vocabulary.json` (what was trained),
            `NOTICE.txt`, and the folders `data`, `run-<seed>` and, of the others, `seed-<seed>`.
        cache: see `dataset.build`.
        seed: of the first encoder, the one that is shipped; the others' follow.
        anchor: bundle whose text tower it is bound to.

    Returns:
        `out`.

    Raises:
        SourceError: if recordings or soundfont are missing or changed.
        InputError, ConfigError, TrainingError, BundleError: as `sensebind train` and `export`.
    """
    data = build(out / "data", cache)
    seeds = range(seed, seed + SEEDS)
    places = [out / BUNDLE, *(out / f"seed-{number}" for number in seeds[1:])]
    for number, bundle in zip(seeds, places, strict=True):
        if not bundle.exists():
            settings = [f"training.seed={number}", f"nodes.text.anchor={anchor}"]
            run = train(load_config(data / CONFIG, settings), out / f"run-{number}", resume=True)
            export_run(run.path, bundle, licence=LICENCE, half=HalfAsked())
    if not (out / FIGURES_NAME).exists():
        write_figures(out / FIGURES_NAME, report(data, list(map(str, places)), seeds=seeds))
    _write_json(out / "prompts.json", prompts())
    _write_json(out / "vocabulary.json", texts())
    shutil.copyfile(data / CREDITS, out / "NOTICE.txt")
    return out


def _write_json(path: Path, value: object) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")
