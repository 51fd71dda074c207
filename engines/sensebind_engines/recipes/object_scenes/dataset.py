# SPDX-License-Identifier: Apache-2.0
"""The recipe: models in rooms as colour, depth and thermal pictures, and a manifest of them.

The models, their classes and their splits are those of `object_renders`. Depth has the noise, steps
and holes of a stereo camera; thermal is SIMULATED from invented temperatures (see `thermal`). A
training row's picture is the mean of the anchor's vectors of all colour pictures of that model:
one thing from several sides, still without a word. Rows to choose and to measure with have the
colour picture of the very view.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from PIL import Image

from sensebind import Bundle
from sensebind.errors import MissingExtraError
from sensebind.storage import atomic_path
from sensebind.types import Modality
from sensebind_engines.recipes.object_renders.dataset import SEED, named_models, split_models
from sensebind_engines.recipes.object_scenes.thermal import thermal_centikelvin
from sensebind_engines.recipes.sample_recording.depth import StereoModel, stereo_depth_mm
from sensebind_engines.recipes.sample_recording.library import find_package, open_libraries
from sensebind_engines.recipes.sample_recording.models3d import load_model, read_catalog
from sensebind_engines.recipes.sample_recording.render import use_headless_gl

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sensebind_engines.recipes.object_renders.dataset import Named
    from sensebind_engines.recipes.object_scenes.stage import Shot, Stage

VERSION = 1
"""Of the pictures; those of another version are rendered again."""
VIEWS = {"train": 24, "dev": 8, "test": 8}
COLOURED = 8
"""So many of the views have a colour picture too; it costs most of the time."""
DEPTH_STEP = 2
"""Depth is measured in every other pixel of the frame: 160 x 120, as in the sample recording."""
STEREO = StereoModel(grazing_deg=82.0)
ANCHOR = "demo"
CONFIGS = ("scenes", "depth", "thermal")
"""Training configurations; the others extend the first, which has no edges."""
MANIFEST, VECTORS, PROMPTS = "manifest.jsonl", "pictures.npy", "prompts.json"
_JPEG_QUALITY = 92


class Rendered(msgspec.Struct, frozen=True):
    """What lies in a model's folder, by the number of the view.

    Attributes:
        version: see `VERSION`.
        seed: of the views.
        focal_px: of each depth picture; none if the model's files are damaged.
        coloured: how many of the views have a colour picture.
    """

    version: int
    seed: int
    focal_px: tuple[float, ...]
    coloured: int

    def is_of(self, seed: int, count: int) -> bool:
        """Whether these are `count` views of this version and seed, or none for good reason."""
        counted = len(self.focal_px) in (0, count)
        return counted and (self.version, self.seed) == (VERSION, seed)


def build(out: Path, cache: Path, *, seed: int = SEED) -> Path:
    """Render every model of a known class and write manifest, prompts and configurations.

    Pictures that are there already are kept, so a build that was interrupted goes on; until it is
    finished there is no manifest to train with.

    Args:
        out: folder for `manifest.jsonl`, `pictures.npy`, `prompts.json`, a configuration per sense
            and a folder of pictures per model.
        cache: holds, or receives, the Debian package with the models.
        seed: draws the surroundings, cameras and temperatures; never the splits.

    Raises:
        SourceError: if the package of the models is missing or changed.
        MissingExtraError: if mujoco is not installed.
        BundleError: if the anchor's bundle cannot be opened.
    """
    return build_from(open_libraries(find_package(cache)), out, seed)


def build_from(libraries: Mapping[str, zipfile.ZipFile], out: Path, seed: int = SEED) -> Path:
    """Build from libraries that are open; see `build`."""
    (out / MANIFEST).unlink(missing_ok=True)
    models = named_models(libraries)
    splits = split_models(models)
    made = list(zip(models, _render_all(libraries, models, splits, out, seed), strict=True))
    shown = [(model, views) for model, views in made if views.focal_px]
    trained = [(model, views) for model, views in shown if splits[model.group] == "train"]
    _save_vectors(out, trained)
    places = {model.group: place for place, (model, _) in enumerate(trained)}
    rows = [row for model, views in shown for row in _rows(model, views, splits, places)]
    configs = resources.files(__package__) / "configs"
    for name in (*(f"{config}.toml" for config in CONFIGS), PROMPTS):
        _write(out / name, (configs / name).read_bytes())
    _write(out / MANIFEST, b"\n".join(map(msgspec.json.encode, rows)) + b"\n")
    return out


def _render_all(
    libraries: Mapping[str, zipfile.ZipFile],
    models: list[Named],
    splits: Mapping[str, str],
    out: Path,
    seed: int,
) -> Iterator[Rendered]:
    """Pictures of each model, rendered where they are not there or of another version."""
    use_headless_gl()
    catalogs = {name: read_catalog(library) for name, library in libraries.items()}
    for index, model in enumerate(models):
        done = out / model.group / "views.json"
        count = VIEWS[splits[model.group]]
        found = _read(done)
        if found is None or not found.is_of(seed, count):
            done.unlink(missing_ok=True)
            entry = catalogs[model.library][model.key]
            rng = np.random.default_rng((seed, index))
            found = _render(libraries[model.library], entry, model, out, count, rng, seed)
            _write(done, msgspec.json.encode(found))
        yield found


def _read(path: Path) -> Rendered | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Rendered)
    except (OSError, msgspec.MsgspecError):
        return None


def _render(
    library: zipfile.ZipFile,
    entry: Mapping[str, str],
    model: Named,
    out: Path,
    count: int,
    rng: np.random.Generator,
    seed: int,
) -> Rendered:
    """Render a model's views; none if its files are damaged (a texture on its author's disk, …)."""
    try:
        from sensebind_engines.recipes.object_scenes.stage import open_stage, surface_pictures

        (out / model.group).mkdir(parents=True, exist_ok=True)
        loaded = load_model(library, model.key)
        at_m = float(entry.get("elevation", 0)) / 100
        is_opening = entry.get("doorOrWindow") == "true"
        with open_stage(loaded, surface_pictures(seed), at_m, is_opening=is_opening) as stage:
            focal = [_shoot(stage, model.label, out / model.group, n, rng) for n in range(count)]
    except ModuleNotFoundError as error:
        raise MissingExtraError("Rendering models", "recipes") from error
    except (KeyError, ValueError, IndexError):
        focal = []
    return Rendered(VERSION, seed, tuple(focal), min(count, COLOURED))


def _shoot(stage: Stage, label: str, folder: Path, number: int, rng: np.random.Generator) -> float:
    """Save one view; returns the focal length of its depth picture."""
    shot: Shot = stage.shoot(rng, coloured=number < COLOURED)
    focal_px = shot.focal_px / DEPTH_STEP
    true_m = shot.depth_m[DEPTH_STEP // 2 :: DEPTH_STEP, DEPTH_STEP // 2 :: DEPTH_STEP]
    depth = stereo_depth_mm(true_m, focal_px, STEREO, rng)
    heat = thermal_centikelvin(shot.surface, shot.depth_m, label, stage.parts, rng)
    Image.fromarray(depth).save(folder / f"{number}-depth.png")
    Image.fromarray(heat).save(folder / f"{number}-thermal.png")
    if shot.colour is not None:
        Image.fromarray(shot.colour).save(folder / f"{number}.jpg", quality=_JPEG_QUALITY)
    return round(focal_px, 3)


def _save_vectors(out: Path, models: list[tuple[Named, Rendered]]) -> None:
    """The mean direction of the anchor's vectors of each model's colour pictures."""
    means = []
    with Bundle.load(ANCHOR) as bundle:
        for model, views in models:
            paths = [str(out / model.group / f"{number}.jpg") for number in range(views.coloured)]
            mean = bundle.encode(Modality.VISION, paths).astype(np.float64).mean(axis=0)
            means.append(mean / np.linalg.norm(mean))
    with atomic_path(out / VECTORS) as temporary, temporary.open("wb") as file:
        np.save(file, np.array(means, np.float32))


def _rows(
    model: Named, views: Rendered, splits: Mapping[str, str], places: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    place = places.get(model.group)
    for number, focal_px in enumerate(views.focal_px):
        name = f"{model.group}/{number}"
        mean = {"vector": VECTORS, "index": place}
        yield {
            "vision": f"{name}.jpg" if place is None else mean,
            "depth": {"file": f"{name}-depth.png", "focal_px": focal_px},
            "thermal": {"file": f"{name}-thermal.png", "unit": "centikelvin"},
            "label": model.label,
            "group": model.group,
            "key": model.group,
            "split": splits[model.group],
        }


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
