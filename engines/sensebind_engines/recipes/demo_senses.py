# SPDX-License-Identifier: Apache-2.0
"""The trained senses of the demo bundle: where each one's data, configuration and figures are from.

A sense is built in steps that each leave something whole: the data (their manifest is written
last), a run per seed (which resumes), a bundle per run, the figures. What is there is kept, so a
build that was interrupted goes on; what was made otherwise than now is refused, not mixed in.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from sensebind.bundle_folder import open_bundle
from sensebind.errors import InputError
from sensebind.storage import atomic_path, sha256_of_file
from sensebind.types import Modality
from sensebind_engines.export.run import export_run
from sensebind_engines.recipes.figures import FIGURES_NAME, read_figures, write_figures
from sensebind_engines.training.config_file import load_config
from sensebind_engines.training.run import train

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sensebind.bundle_folder import BundleFolder
    from sensebind_engines.recipes.figures import SenseFigures
    from sensebind_engines.training.config import GraphConfig

Wordings = dict[str, dict[str, list[str]]]
"""Texts by class, by sense."""

SEEDS = 3
"""Encoders trained for the figures; the first is shipped."""

ROWS_NAME = "manifest.sha256"
"""Beside a sense's bundles: of the manifest they were trained on."""

LICENCE = "Apache-2.0 AND MIT"
"""Of a sense's own bundle: ours, and the frozen towers'."""


class Measure(Protocol):
    """Figures of encoders by seed, the shipped one first."""

    def __call__(self, data: Path, bundles: Mapping[int, Path]) -> SenseFigures:
        """Measure on what was never trained on."""


class Sense(NamedTuple):
    """How one sense is made.

    Attributes:
        modality: which one.
        data: module with `build(out, cache)`, and the folder of the cache its data go to.
        config: the training's configuration, in that folder.
        manifest: what is trained on, in that folder.
        measure: makes the figures.
        wordings: the classes and texts that the bundle brings, by sense, from the data's folder.
    """

    modality: Modality
    data: str
    config: str
    manifest: str
    measure: Measure
    wordings: Callable[[Path], Wordings]

    @property
    def folder(self) -> str:
        """Of the data, in the cache; senses of one data set share it."""
        return self.data.split(".")[0]


class BuiltSense(NamedTuple):
    """A sense as it goes into the bundle.

    Attributes:
        sense: how it was made.
        data: its data's folder.
        bundle: of the shipped seed.
        figures: of all seeds.
    """

    sense: Sense
    data: Path
    bundle: BundleFolder
    figures: SenseFigures

    def learnt(self) -> list[str]:
        """What training knew of: its texts, or where it had none the names of its classes."""
        found: dict[str, None] = {}
        for line in (self.data / self.sense.manifest).read_text("utf-8").splitlines():
            row = json.loads(line)
            if row["split"] == "train":
                told = row.get("text", row["label"])
                found |= dict.fromkeys([told] if isinstance(told, str) else told)
        return list(found)


def read_wordings(data: Path) -> Wordings:
    """Those of the data's `prompts.json`, with which the figures were measured."""
    return msgspec.json.decode((data / "prompts.json").read_bytes(), type=Wordings)


def _motion_wordings(_data: Path) -> Wordings:
    """Some that neither training nor the headline figure had; the figures tell them apart."""
    from sensebind_engines.recipes.imu_motion.dataset import load_prompts

    return {Modality.IMU.value: load_prompts().demo}


def _measure_scenes(sense: Modality) -> Measure:
    def measured(data: Path, bundles: Mapping[int, Path]) -> SenseFigures:
        from sensebind_engines.recipes.object_scenes.measure import measure

        return measure(data, sense, [str(path) for path in bundles.values()], "test")

    return measured


def _measure_sounds(data: Path, bundles: Mapping[int, Path]) -> SenseFigures:
    from sensebind_engines.recipes.sounds.report import report

    return report(data, [str(path) for path in bundles.values()])


def _measure_motion(data: Path, bundles: Mapping[int, Path]) -> SenseFigures:
    """Also on real motion and a real sensor at rest, where the package or the file is there."""
    from sensebind.errors import SourceError
    from sensebind_engines.recipes.imu_motion import watch
    from sensebind_engines.recipes.imu_motion.report import report

    try:
        real = watch.build(data.parent / "imu_watch", data.parent)
    except SourceError:
        real = None
    rest = data.parent / "imu_static" / "adis16405_imu1.npz"
    return report(data, bundles, real, rest if rest.exists() else None)


SENSES = (
    Sense(
        modality=Modality.DEPTH,
        data="object_scenes.dataset",
        config="depth.toml",
        manifest="manifest.jsonl",
        measure=_measure_scenes(Modality.DEPTH),
        wordings=read_wordings,
    ),
    Sense(
        modality=Modality.THERMAL,
        data="object_scenes.dataset",
        config="thermal.toml",
        manifest="manifest.jsonl",
        measure=_measure_scenes(Modality.THERMAL),
        wordings=read_wordings,
    ),
    Sense(
        modality=Modality.AUDIO,
        data="sounds.dataset",
        config="sounds.toml",
        manifest="final.jsonl",
        measure=_measure_sounds,
        wordings=read_wordings,
    ),
    Sense(
        modality=Modality.IMU,
        data="imu_motion.dataset",
        config="imu_motion.toml",
        manifest="manifest.jsonl",
        measure=_measure_motion,
        wordings=_motion_wordings,
    ),
)


def build_sense(sense: Sense, cache: Path, *, seed: int = 0) -> BuiltSense:
    """Build what is missing of a sense: data, `SEEDS` runs and bundles, figures.

    Args:
        sense: which.
        cache: holds everything; see this module's docstring.
        seed: of the shipped encoder; the others follow.

    Raises:
        SourceError: data are missing or changed, or a package is not installed.
        InputError: what is in the cache was made with another configuration, or of other data.
        TrainingError, BundleError: as of `sensebind train` and `export`.
    """
    module = import_module(f"{__package__}.{sense.data}")
    data: Path = module.build(cache / sense.folder, cache)
    place = cache / f"demo-{sense.modality}"
    _keep_to_rows(place, data / sense.manifest)
    bundles = {
        number: _trained(data / sense.config, place, number) for number in range(seed, seed + SEEDS)
    }
    path = place / FIGURES_NAME
    if not path.exists():
        write_figures(path, sense.measure(data, bundles))
    figures = read_figures(path)
    return BuiltSense(sense, data, open_bundle(bundles[seed]), figures)


def _keep_to_rows(place: Path, manifest: Path) -> None:
    """All of a sense is of the same rows: those that its first build had."""
    told, now = place / ROWS_NAME, sha256_of_file(manifest)
    if not told.exists():
        place.mkdir(parents=True, exist_ok=True)
        with atomic_path(told) as temporary:
            temporary.write_text(now + "\n", encoding="utf-8")
    elif told.read_text("utf-8").strip() != now:
        raise InputError(
            f"{str(place)!r} was trained on other rows than {str(manifest)!r} has now; delete the "
            "folder to train again"
        )


def _trained(config_path: Path, place: Path, seed: int) -> Path:
    """The bundle of one seed; a run that was interrupted goes on."""
    config = load_config(str(config_path), [f"training.seed={seed}"])
    bundle = place / f"seed-{seed}"
    if bundle.exists():
        _refuse_another(bundle, config)
    else:
        run = train(config, place / f"run-{seed}", resume=True)
        export_run(run.path, bundle, licence=LICENCE)
    return bundle


def _refuse_another(bundle: Path, config: GraphConfig) -> None:
    """A bundle that is there counts only if it was trained as it would be now."""
    told = open_bundle(bundle).manifest.training.get("config")
    try:
        before = msgspec.convert(told, type(config))  # what came later has its default
    except msgspec.ValidationError:
        before = None
    if before is None or _compared(before) != _compared(config):
        raise InputError(
            f"{str(bundle)!r} was trained with another configuration than its recipe has now; "
            "delete its folder, and the run beside it, to train it again"
        )


def _compared(config: object) -> object:
    """A configuration as plain values, without the places of its files."""
    value = msgspec.to_builtins(config)
    if not isinstance(value, dict):
        return value
    places = ("manifest", "cache", "root", "folder")
    return {key: _compared(own) for key, own in value.items() if key not in places}
