# SPDX-License-Identifier: Apache-2.0
"""The recipe: models, views, files and a manifest whose splits are drawn by model.

Nothing in the pictures but the model, no sensor noise: what a depth encoder can learn from shape
and size. The models are those of Debian's `sweethome3d-furniture` 1.8-1, verified by hash; its
copyright file names CC0 (BlendSwap-CC-0) and CC BY 3.0 (the others). No picture is shipped.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
from PIL import Image

from sensebind.errors import MissingExtraError
from sensebind.storage import atomic_path
from sensebind_engines.recipes.object_renders.classes import CLASSES, class_of
from sensebind_engines.recipes.sample_recording.library import (
    find_package,
    open_libraries,
)
from sensebind_engines.recipes.sample_recording.models3d import load_model, read_catalog
from sensebind_engines.recipes.sample_recording.render import use_headless_gl

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sensebind_engines.recipes.object_renders.views import View

SEED = 20261122
VIEWS = 6
MOST_TRIANGLES = 60_000
"""Larger models take minutes and show no more at 224 pixels."""

SPLITS = {"test": 0.25, "dev": 0.15}
"""Share of each class's models; the rest is for training."""

CONFIGS = ("renders", "star", "text_star", "triangle", "centroid")
"""Training configurations; all extend the first, which has no edges."""


class Named(NamedTuple):
    """A model of a class, and its library."""

    label: str
    library: str
    key: str

    @property
    def group(self) -> str:
        """Its name in manifests and its folder of pictures."""
        return f"{self.library}-{self.key}"


def build(out: Path, cache: Path, *, seed: int = SEED) -> Path:
    """Render every model of a known class and write manifest, prompts and configurations.

    Pictures that are there already are kept, so a build that was interrupted goes on.

    Args:
        out: folder for `manifest.jsonl`, `prompts.json`, a configuration per binding graph and a
            folder of pictures per model.
        cache: holds, or receives, the Debian package with the models.
        seed: draws the directions and the splits.

    Raises:
        SourceError: if the package of the models is missing or changed.
        MissingExtraError: if mujoco is not installed.
    """
    return build_from(open_libraries(find_package(cache)), out, seed)


def build_from(libraries: Mapping[str, zipfile.ZipFile], out: Path, seed: int) -> Path:
    """Build from libraries that are open; see `build`."""
    use_headless_gl()
    models = named_models(libraries)
    splits = split_models(models, seed)
    rows = []
    for index, model in enumerate(models):
        rng = np.random.default_rng((seed, index))
        views = _files(out, libraries[model.library], model, rng)
        rows += [{**view, **_told(model, splits[model.group])} for view in views]
    _write(out / "manifest.jsonl", b"\n".join(map(msgspec.json.encode, rows)) + b"\n")
    prompts = {sense: {label: [_text(label)] for label in CLASSES} for sense in ("vision", "depth")}
    _write(out / "prompts.json", msgspec.json.format(msgspec.json.encode(prompts)))
    for name in CONFIGS:
        config = resources.files(__package__).joinpath(f"configs/{name}.toml")
        _write(out / f"{name}.toml", config.read_bytes())
    return out


def named_models(libraries: Mapping[str, zipfile.ZipFile]) -> list[Named]:
    """The models of a known class that are not too large, in a fixed order."""
    return [named for name, library in libraries.items() for named in _named(name, library)]


def _named(name: str, library: zipfile.ZipFile) -> Iterator[Named]:
    for key, entry in sorted(read_catalog(library).items()):
        label = class_of(entry["name"])
        if label is not None and _triangles(library, entry["model"]) <= MOST_TRIANGLES:
            yield Named(label, name, key)


def _triangles(library: zipfile.ZipFile, path: str) -> int:
    return library.read(path.lstrip("/")).count(b"\nf ")


def _told(model: Named, split: str) -> dict[str, object]:
    """What a row says beside its pictures.

    Only training rows have a text: models are measured by their classes, whose texts many share.
    """
    told: dict[str, object] = {"label": model.label, "group": model.group, "key": model.group}
    return {**told, "split": split, **({"text": _text(model.label)} if split == "train" else {})}


def _text(label: str) -> str:
    return f"{'an' if label[0] in 'aeiou' else 'a'} {label}"


def _files(
    out: Path, library: zipfile.ZipFile, model: Named, rng: np.random.Generator
) -> list[dict[str, object]]:
    """The pictures of a model as a manifest names them, rendered if they are not there."""
    done = out / model.group / "views.json"
    if not done.exists():
        done.parent.mkdir(parents=True, exist_ok=True)
        views = _views(library, model.key, rng)
        saved = [_saved(view, done.parent, number) for number, view in enumerate(views)]
        _write(done, msgspec.json.encode(saved))
    return msgspec.json.decode(done.read_bytes(), type=list[dict[str, object]])


def _views(library: zipfile.ZipFile, key: str, rng: np.random.Generator) -> list[View]:
    """Views of a model; none if its files are damaged (a texture on its author's disk, …)."""
    try:
        from sensebind_engines.recipes.object_renders.views import render_views

        return render_views(load_model(library, key), VIEWS, rng)
    except ModuleNotFoundError as error:
        raise MissingExtraError("Rendering models", "recipes") from error
    except (KeyError, ValueError, IndexError):
        return []


def _saved(view: View, folder: Path, index: int) -> dict[str, object]:
    colour, depth = f"{index}.png", f"{index}-depth.png"
    Image.fromarray(view.colour).save(folder / colour)
    millimetres = np.clip(np.round(view.depth_m * 1000), 0, 65535).astype(np.uint16)
    Image.fromarray(millimetres).save(folder / depth)
    return {
        "vision": f"{folder.name}/{colour}",
        "depth": {"file": f"{folder.name}/{depth}", "focal_px": round(view.focal_px, 3)},
    }


def split_models(models: list[Named], seed: int = SEED) -> dict[str, str]:
    """Split by `Named.group`: shares of each class's models, drawn from `seed`."""
    rng = np.random.default_rng(seed)
    splits: dict[str, str] = {}
    for label in CLASSES:
        groups = [model.group for model in models if model.label == label]
        order = [groups[i] for i in rng.permutation(len(groups))]
        at = 0
        for split, share in SPLITS.items():
            count = round(share * len(groups))
            splits |= dict.fromkeys(order[at : at + count], split)
            at += count
        splits |= dict.fromkeys(order[at:], "train")
    return splits


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
