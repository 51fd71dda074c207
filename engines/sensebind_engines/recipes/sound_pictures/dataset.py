# SPDX-License-Identifier: Apache-2.0
"""The recipe: every training sound of a thing with a picture of such a thing, and without a text.

A picture is a view of a 3-D model (CC0 or CC BY 3.0). Sounds are those of the recipe `sounds`, with
its splits. Test rows have a picture too, of the same models from other sides: what the pictures
themselves are named is the ceiling of what can emerge.
"""

from __future__ import annotations

import os
from importlib import resources
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from PIL import Image

from sensebind.errors import SourceError
from sensebind.storage import atomic_path
from sensebind_engines.recipes.object_renders.views import render_views
from sensebind_engines.recipes.sample_recording.library import find_package, open_libraries
from sensebind_engines.recipes.sample_recording.models3d import load_model, read_catalog
from sensebind_engines.recipes.sample_recording.render import use_headless_gl
from sensebind_engines.recipes.sound_pictures.things import THINGS
from sensebind_engines.recipes.sounds import dataset as sounds

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SEED = 20261122
CONFIG = "sound_pictures.toml"
VIEWS = {"train": 6, "test": 2}
"""Of each model and part."""
_TESTED = ("recordings", "notes", "events")


def build(out: Path, cache: Path, *, seed: int = SEED) -> Path:
    """Render the pictures and write manifest, prompts and training configuration.

    Args:
        out: folder for `manifest.jsonl`, `prompts.json`, `sound_pictures.toml` and a folder of
            pictures per class.
        cache: holds the built recipe `sounds` in the folder `sounds`, or what that is built from;
            holds, or receives, the package of the models.
        seed: draws the views, and which picture goes with which sound.

    Raises:
        SourceError: if a package or model is missing or changed.
        MissingExtraError: if midirenderer is not installed and sounds are to be made.
    """
    built = sounds.build(cache / "sounds", cache)
    pictures = _pictures(open_libraries(find_package(cache)), out, seed)
    rng = np.random.default_rng(seed)
    rows = list(_rows(built, out, pictures, rng))
    prompts = {label: thing.prompts for label, thing in THINGS.items()}
    both = {"audio": prompts, "vision": prompts}
    _write(out / "prompts.json", msgspec.json.format(msgspec.json.encode(both)))
    _write(out / CONFIG, resources.files(__package__).joinpath(CONFIG).read_bytes())
    _write(out / "manifest.jsonl", b"\n".join(map(msgspec.json.encode, rows)) + b"\n")
    return out


def _rows(
    built: Path, out: Path, pictures: Mapping[tuple[str, str], list[str]], rng: np.random.Generator
) -> Iterator[dict[str, object]]:
    for line in (built / "final.jsonl").read_bytes().splitlines():
        row = msgspec.json.decode(line)
        label, split = row["label"], row["split"]
        if label not in THINGS or split not in ("train", *_TESTED):
            continue
        part = "train" if split == "train" else "test"
        choices = pictures[label, part]
        yield {
            "audio": os.path.relpath(built / row["audio"], out),
            "vision": choices[int(rng.integers(len(choices)))],
            "label": label,
            "key": label,
            "group": row["group"],
            "split": part,
        }


def _pictures(
    libraries: Mapping[str, zipfile.ZipFile], out: Path, seed: int
) -> dict[tuple[str, str], list[str]]:
    """Names of the pictures of each class and part, rendered if they are not there."""
    use_headless_gl()
    found: dict[tuple[str, str], list[str]] = {}
    for number, (label, thing) in enumerate(THINGS.items()):
        models = list(_models(libraries, thing.models))
        if not models:
            raise SourceError(f"there is no 3-D model named {' or '.join(thing.models)}")
        for place, (library, key) in enumerate(models):
            names = _names(label, place)
            if not all((out / name).exists() for names_of in names.values() for name in names_of):
                _render(library, key, out, names, np.random.default_rng((seed, number, place)))
            for part, names_of in names.items():
                found.setdefault((label, part), []).extend(names_of)
    return found


def _names(label: str, place: int) -> dict[str, list[str]]:
    folder = label.replace(" ", "-")
    return {
        part: [f"{folder}/{place}-{part}-{view}.png" for view in range(count)]
        for part, count in VIEWS.items()
    }


def _models(
    libraries: Mapping[str, zipfile.ZipFile], names: tuple[str, ...]
) -> Iterator[tuple[zipfile.ZipFile, str]]:
    for library in libraries.values():
        for key, entry in sorted(read_catalog(library).items()):
            if entry["name"] in names:
                yield library, key


def _render(
    library: zipfile.ZipFile,
    key: str,
    out: Path,
    names: Mapping[str, list[str]],
    rng: np.random.Generator,
) -> None:
    places = [name for names_of in names.values() for name in names_of]
    views = render_views(load_model(library, key), len(places), rng)
    for name, view in zip(places, views, strict=True):
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            Image.fromarray(view.colour).save(temporary, "PNG")


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
