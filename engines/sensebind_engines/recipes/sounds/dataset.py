# SPDX-License-Identifier: Apache-2.0
"""The recipe: all sounds as files and two manifests, with splits fixed by recording and parameters.

`choosing.jsonl` is for choices and never names what is tested; `final.jsonl` adds what choices were
made on to the training. Both have the same splits beside "train":

- "recordings": other recordings: fold 3, then fold 4 of ESC-10;
- "notes": the trained programs on pitches and melodies that training never plays;
- "presets" (final only): a program of a trained instrument that training never plays;
- "events": synthesised events with a parameter outside of training's range.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
import soundfile

from sensebind.storage import atomic_path
from sensebind_engines.data.store import digest
from sensebind_engines.recipes.esc10.dataset import SOUNDS, clip_rows
from sensebind_engines.recipes.sounds.credits import credits_text
from sensebind_engines.recipes.sounds.events import EVENTS
from sensebind_engines.recipes.sounds.instruments import INSTRUMENTS
from sensebind_engines.recipes.sounds.renders import RATE_HZ, open_soundfont, render
from sensebind_engines.recipes.sounds.wordings import MORE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

SEED = 20261122
CONFIG = "sounds.toml"
CREDITS = "CREDITS.txt"
FORMAT = 1
"""Part of every file's name: a change of what is synthesised is another format."""

TRAIN_FOLDS = ("1", "2")
DEV_FOLD, TEST_FOLD = "3", "4"

MELODIES = {"train": 8, "dev": 2, "test": 4}
"""Of each instrument and part; the programs take turns."""
PRESET_MELODIES = 4
OCCURRENCES = {"train": 10, "dev": 3, "test": 6}
"""Of each event and part."""

REPEATS = 3
"""How often training names each recording: there are fewer than of what is made, and they matter
more."""

_FLOOR_DB = (-60.0, -30.0)
"""Level of the white noise under everything that is made here, relative to its peak."""


class Made(NamedTuple):
    """A file that is made: its class, the part its parameters are drawn from, and its number.

    `program` is the General-MIDI program of a melody and None for an event.
    """

    label: str
    part: str
    number: int
    program: int | None


def build(out: Path, cache: Path, *, seed: int = SEED) -> Path:
    """Make all sounds and write manifests, prompts, credits and the training configuration.

    Files that are there already are kept, so a build that was interrupted goes on. The manifests
    are written last: nothing can be trained on half of the data.

    Args:
        out: folder for `choosing.jsonl`, `final.jsonl`, `prompts.json`, `CREDITS.txt`,
            `sounds.toml` and a folder of sounds per class.
        cache: holds the folder `esc10` with the recordings; holds, or receives, the package of the
            soundfont.
        seed: draws melodies, parameters and levels.

    Raises:
        SourceError: if recordings or soundfont are missing or changed.
        MissingExtraError: if midirenderer is not installed.
    """
    out.mkdir(parents=True, exist_ok=True)
    notice = credits_text(cache)
    files = _files(out, cache, seed)
    chosen = [*_recordings(out, cache, {DEV_FOLD: "recordings"}), *_choosing(files)]
    final = [*_recordings(out, cache, {DEV_FOLD: "train", TEST_FOLD: "recordings"}), *_final(files)]
    _write(out / "prompts.json", msgspec.json.format(msgspec.json.encode({"audio": prompts()})))
    _write(out / CREDITS, notice.encode())
    _write(out / CONFIG, resources.files(__package__).joinpath(CONFIG).read_bytes())
    for name, rows in (("choosing", chosen), ("final", final)):
        _write(out / f"{name}.jsonl", b"\n".join(map(msgspec.json.encode, rows)) + b"\n")
    return out


def prompts() -> dict[str, tuple[str, ...]]:
    """Wordings of the evaluation by class; training has others."""
    return {label: told.prompts for label, told in _CLASSES.items()}


def texts(label: str) -> tuple[str, ...]:
    """Wordings of training of a class."""
    return (*_CLASSES[label].texts, *MORE[label])


def plan() -> list[Made]:
    """Everything that is made, in a fixed order."""
    return [*_melodies(), *_occurrences()]


_CLASSES: dict[str, Any] = {**SOUNDS, **INSTRUMENTS, **EVENTS}


def _melodies() -> Iterator[Made]:
    for label, instrument in INSTRUMENTS.items():
        for part, count in MELODIES.items():
            for number in range(count):
                program = instrument.programs[number % len(instrument.programs)]
                yield Made(label, part, number, program)
        if instrument.held_out is not None:
            for number in range(PRESET_MELODIES):
                yield Made(label, "preset", number, instrument.held_out)


def _occurrences() -> Iterator[Made]:
    for label in EVENTS:
        for part, count in OCCURRENCES.items():
            for number in range(count):
                yield Made(label, part, number, None)


def _files(out: Path, cache: Path, seed: int) -> dict[Made, str]:
    """Name of every file, made if it is not there."""
    names = {made: _name(made, seed) for made in plan()}
    missing = {made: out / name for made, name in names.items() if not (out / name).exists()}
    soundfont = open_soundfont(cache) if any(m.program is not None for m in missing) else b""
    for made, path in missing.items():
        rng = np.random.default_rng([seed, *made.label.encode(), *made.part.encode(), made.number])
        sound = _with_floor(_sound(made, soundfont, rng), rng)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            soundfile.write(temporary, sound, RATE_HZ, format="FLAC", subtype="PCM_16")
    return names


def _name(made: Made, seed: int) -> str:
    told = digest([FORMAT, seed, made, msgspec.to_builtins(_parameters(made.label))])
    return f"{made.label.replace(' ', '-')}/{made.part}-{made.number}-{told[:8]}.flac"


def _parameters(label: str) -> object:
    """What decides how a class sounds, beside the code."""
    return EVENTS[label].ranges if label in EVENTS else INSTRUMENTS[label][:4]


def _sound(made: Made, soundfont: bytes, rng: np.random.Generator) -> NDArray[np.float64]:
    if made.program is None:
        event = EVENTS[made.label]
        parameter = float(rng.uniform(*event.ranges._asdict()[made.part]))
        return event.make(parameter, rng) * rng.uniform(0.15, 0.9)
    part = "test" if made.part == "preset" else made.part
    return render(soundfont, INSTRUMENTS[made.label], made.program, part, rng)


def _with_floor(sound: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    level = np.abs(sound).max() * 10 ** (rng.uniform(*_FLOOR_DB) / 20)
    noisy = sound + level * rng.standard_normal(len(sound))
    return np.asarray(np.clip(noisy, -1.0, 1.0), np.float64)


def _recordings(out: Path, cache: Path, more: Mapping[str, str]) -> list[dict[str, object]]:
    splits = {**dict.fromkeys(TRAIN_FOLDS, "train"), **more}
    rows = [
        {**row, "text": texts(label)}
        for label in SOUNDS
        for row in clip_rows(out, cache, label, splits)
    ]
    return [row for row in rows for _ in range(REPEATS if row["split"] == "train" else 1)]


def _choosing(files: Mapping[Made, str]) -> Iterator[dict[str, object]]:
    for made, name in files.items():
        if made.part == "train":
            yield _row(made, name, "train")
        elif made.part == "dev":
            yield _row(made, name, _tested_as(made))


def _final(files: Mapping[Made, str]) -> Iterator[dict[str, object]]:
    for made, name in files.items():
        trained = made.part in ("train", "dev")
        yield _row(made, name, "train" if trained else _tested_as(made))


def _tested_as(made: Made) -> str:
    if made.program is None:
        return "events"
    return "presets" if made.part == "preset" else "notes"


def _row(made: Made, name: str, split: str) -> dict[str, object]:
    told = {"text": texts(made.label), "label": made.label, "key": made.label}
    return {"audio": name, **told, "group": name.removesuffix(".flac"), "split": split}


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
