# SPDX-License-Identifier: Apache-2.0
"""A cache as the recipe finds it, without the soundfont's half gigabyte of music."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind_engines.recipes.esc10.dataset import FOLDER
from sensebind_engines.recipes.sounds import dataset
from sensebind_engines.recipes.sounds.phrases import SECONDS
from sensebind_engines.recipes.sounds.renders import RATE_HZ
from tests.engines.recipes.esc10.sounds import write_sounds

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from numpy.typing import NDArray

    from sensebind_engines.recipes.sounds.instruments import Instrument

CREDITS = """\
- [4-064-A.ogg]: clip derived from sneeze (loud).wav (http://sounds.example/1) by An Author [CC-BY]
- [1-001-A.ogg]:  clip derived from bark.wav (http://sounds.example/2) by Some One [CC0]
- [1-40730-A.ogg]: clip derived from x.wav (http://sounds.example/3) by No One [CC-Sampling+]
"""


def write_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recordings and the list of their authors."""
    write_sounds(cache, monkeypatch)
    (cache / FOLDER / "README.md").write_text(CREDITS)


def use_fake_soundfont(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Play tones, and one sound of everything; returns the programs, in the order they play."""
    played: list[int] = []

    def play(
        soundfont: bytes, instrument: Instrument, program: int, part: str, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        del soundfont, instrument, part
        played.append(program)
        times_s = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
        return 0.3 * np.sin(2 * np.pi * rng.uniform(0.99, 1.01) * 40.0 * (program + 2) * times_s)

    monkeypatch.setattr(dataset, "open_soundfont", lambda _: b"")
    for counts in (dataset.MELODIES, dataset.OCCURRENCES):
        for part in counts:
            monkeypatch.setitem(counts, part, 1)
    monkeypatch.setattr(dataset, "render", play)
    return played
