# SPDX-License-Identifier: Apache-2.0
"""A folder laid out as ESC-10 is, with a tone of its own for every class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile

from sensebind.storage import sha256_of_file
from sensebind_engines.recipes.esc10 import dataset
from sensebind_engines.recipes.esc10.dataset import FOLDER, LEFT_OUT, SOUNDS

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

RATE_HZ = 16000
FOLDS = "12345"


def write_sounds(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One five-second clip per class and fold, listed, and the clips that are left out."""
    listed: dict[str, dict[str, str]] = {}
    monkeypatch.setattr(dataset, "listed_clips", listed.__getitem__)
    times_s = np.arange(5 * RATE_HZ) / RATE_HZ
    for number, sound in enumerate(SOUNDS.values()):
        folder = cache / FOLDER / sound.folder
        folder.mkdir(parents=True)
        tone = 0.3 * np.sin(2 * np.pi * 200 * 1.4**number * times_s)
        for fold in FOLDS:
            noise = np.random.default_rng((number, int(fold))).normal(0, 0.01, len(tone))
            name = f"{fold}-{number:02}{fold}-A.ogg"
            soundfile.write(folder / name, tone + noise, RATE_HZ, format="OGG")
            listed.setdefault(sound.folder, {})[name] = sha256_of_file(folder / name)
    first = cache / FOLDER / next(iter(SOUNDS.values())).folder
    for name in (*(f"{stem}.ogg" for stem in LEFT_OUT), "notes.ogg"):
        (first / name).write_bytes(b"")
