# SPDX-License-Identifier: Apache-2.0
"""The recipe: manifests of the recordings, split by the data set's own folds.

Clips of one Freesound recording are in one fold, so splits by fold never share a recording.
ESC-10 (Piczak 2015) is CC BY 3.0 as a whole; its clips are CC0 or CC BY, but for those left out.
"""

from __future__ import annotations

import os
import re
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from sensebind.errors import SourceError
from sensebind.storage import atomic_path, sha256_of_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SOURCE = "https://github.com/karolpiczak/ESC-10"

CONFIG = "esc10.toml"

FOLDER = "esc10"
"""Folder of the recordings inside the cache, as the data set comes: "001 - Dog bark" and so on."""

LEFT_OUT = frozenset({"1-40730-A", "2-96460-A"})
"""Licensed CC Sampling+, which is neither CC0 nor CC BY: no weights are trained on them."""

CHOOSING = {"1": "train", "2": "train", "3": "dev"}
"""Split of each fold while choices are made. The test fold is not in that manifest at all."""

FINAL = {"1": "train", "2": "train", "3": "train", "4": "test"}
"""Split of each fold with frozen settings. Fold 5 is not used."""

_CLIPS = "clips.sha256"
_NAME = re.compile(r"(?P<fold>\d)-(?P<recording>\d+)-\w+")


class Sound(NamedTuple):
    """A class: its folder and the wordings its clips are trained with, and scored with."""

    folder: str
    texts: tuple[str, ...]
    prompts: tuple[str, ...]


SOUNDS: dict[str, Sound] = {
    "dog bark": Sound("001 - Dog bark", ("a dog barking", "a barking dog"), ("the bark of a dog",)),
    "rain": Sound("002 - Rain", ("rain falling", "the sound of rain"), ("it is raining",)),
    "sea waves": Sound(
        "003 - Sea waves", ("waves of the sea", "waves on a beach"), ("the sea breaking ashore",)
    ),
    "baby cry": Sound("004 - Baby cry", ("a baby crying", "a crying baby"), ("an infant cries",)),
    "clock tick": Sound(
        "005 - Clock tick", ("a clock ticking", "a ticking clock"), ("the tick of a clock",)
    ),
    "sneeze": Sound("006 - Person sneeze", ("a person sneezing", "someone sneezes"), ("a sneeze",)),
    "helicopter": Sound(
        "007 - Helicopter", ("a helicopter flying", "a helicopter"), ("the rotor of a helicopter",)
    ),
    "chainsaw": Sound(
        "008 - Chainsaw", ("a chainsaw running", "a chainsaw"), ("cutting wood with a chainsaw",)
    ),
    "rooster": Sound(
        "009 - Rooster", ("a rooster crowing", "a crowing rooster"), ("the crow of a cock",)
    ),
    "fire": Sound(
        "010 - Fire crackling", ("a fire crackling", "a crackling fire"), ("a fire burning",)
    ),
}


def build(out: Path, cache: Path, *, seed: int = 0) -> Path:
    """Write manifests that refer to the recordings, prompts and the training configuration.

    Args:
        out: folder for `choosing.jsonl`, `final.jsonl`, `prompts.json` and `esc10.toml`.
        cache: holds the folder `esc10` with the recordings.
        seed: nothing is drawn.

    Raises:
        SourceError: if recordings are missing or changed.
    """
    del seed
    out.mkdir(parents=True, exist_ok=True)
    for name, splits in (("choosing", CHOOSING), ("final", FINAL)):
        rows = [row for label in SOUNDS for row in clip_rows(out, cache, label, splits)]
        _write(out / f"{name}.jsonl", b"\n".join(map(msgspec.json.encode, rows)) + b"\n")
    prompts = {label: sound.prompts for label, sound in SOUNDS.items()}
    _write(out / "prompts.json", msgspec.json.format(msgspec.json.encode({"audio": prompts})))
    _write(out / CONFIG, resources.files(__package__).joinpath(CONFIG).read_bytes())
    return out


def clip_rows(
    out: Path, cache: Path, label: str, splits: Mapping[str, str]
) -> list[dict[str, object]]:
    """Manifest rows of the clips of a class that may be used, in the folds that are asked for.

    Args:
        out: folder of the manifest.
        cache: see `build`.
        label: class.
        splits: split of each fold; clips of other folds are left out.

    Raises:
        SourceError: if one of them is missing or changed.
    """
    sound = SOUNDS[label]
    folder = cache / FOLDER / sound.folder
    if not folder.is_dir():
        raise SourceError(
            f"the recordings of ESC-10 are not in {str(cache / FOLDER)!r} (no folder "
            f"{sound.folder!r}); put the data set there: {SOURCE}"
        )
    rows: list[dict[str, object]] = []
    for name, sha256 in listed_clips(sound.folder).items():
        match = _NAME.match(name)
        assert match is not None
        if match["fold"] not in splits:
            continue
        path = folder / name
        _verify(path, sha256)
        rows.append(
            {
                "audio": os.path.relpath(path, out),
                "text": sound.texts,
                "label": label,
                "key": label,
                "group": match["recording"],
                "split": splits[match["fold"]],
            }
        )
    return rows


def listed_clips(folder: str) -> dict[str, str]:
    """SHA-256 of the clips of a class's folder that may be used (folds 1 to 4), by file name."""
    listed = resources.files(__package__).joinpath(_CLIPS).read_text("utf-8").splitlines()
    lines = (line.split("  ", 1) for line in listed)
    paths = ((place.split("/"), sha256) for sha256, place in lines)
    return {name: sha256 for (own, name), sha256 in paths if own == folder}


def _verify(path: Path, sha256: str) -> None:
    if not path.is_file():
        raise SourceError(f"the clip {str(path)!r} of ESC-10 is missing; get it from {SOURCE}")
    found = sha256_of_file(path)
    if found != sha256:
        raise SourceError(
            f"the clip {str(path)!r} of ESC-10 has sha256 {found}, expected {sha256}; get it anew "
            f"from {SOURCE}"
        )


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
