# SPDX-License-Identifier: Apache-2.0
"""Melodies rendered with the samples of FluidR3 GM (Frank Wen and others, MIT licence).

The soundfont is that of Debian's `fluid-soundfont-gm` 3.1, verified by hash and read out of the
package; `midirenderer` (MIT) plays it at 48 kHz with its own reverberation.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from sensebind.errors import MissingExtraError, SourceError
from sensebind.storage import atomic_path
from sensebind_engines.recipes.debian import DebianPackage, read_members
from sensebind_engines.recipes.sounds.phrases import SECONDS, draw_phrase, midi_file

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind_engines.recipes.sounds.instruments import Instrument

RATE_HZ = 16_000
SOUNDFONT = DebianPackage(
    "fluid-soundfont-gm",
    "3.1-5.3",
    "6f531493ac4e4d9772fd96b2488ea1790af81c196135fbdd25997da0781fc60e",
)
_MEMBER = "./usr/share/sounds/sf2/FluidR3_GM.sf2"
_UNPACKED = "FluidR3_GM.sf2"
_UNPACKED_SHA256 = "74594e8f4250680adf590507a306655a299935343583256f3b722c48a1bc1cb0"
_QUIETEST = 1e-4
_PEAKS = (0.15, 0.9)


def open_soundfont(cache: Path) -> bytes:
    """The soundfont, unpacked once into the cache beside its package.

    Raises:
        SourceError: if the package is missing or changed, or the unpacked file is.
    """
    deb = SOUNDFONT.find(cache)
    path = cache / _UNPACKED
    if not path.exists():
        content = read_members(deb, (_MEMBER,))[_MEMBER]
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    content = path.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != _UNPACKED_SHA256:
        raise SourceError(
            f"{str(path)!r} has sha256 {found}, expected {_UNPACKED_SHA256}; delete it and build "
            "again"
        )
    return content


def render(
    soundfont: bytes, instrument: Instrument, program: int, part: str, rng: np.random.Generator
) -> NDArray[np.float64]:
    """A melody at 16 kHz, (n,) between -1 and 1.

    Args:
        soundfont: the file's bytes.
        instrument: what is played.
        program: on which of its programs.
        part: whose pitches: "train", "dev" or "test".
        rng: draws the melody and its level.

    Raises:
        SourceError: if the soundfont has no sound for the program.
        MissingExtraError: if midirenderer is not installed.
    """
    try:
        from midirenderer import render_wave_from
    except ModuleNotFoundError as error:
        raise MissingExtraError("Rendering instruments", "recipes") from error
    midi = midi_file(draw_phrase(instrument, part, rng), program)
    samples, rate_hz = soundfile.read(io.BytesIO(render_wave_from(soundfont, midi)))
    mono = soxr.resample(samples.mean(axis=1), rate_hz, RATE_HZ)
    sound = np.zeros(round(SECONDS * RATE_HZ))
    sound[: len(mono)] = mono[: len(sound)]
    peak = float(np.abs(sound).max())
    if peak < _QUIETEST:
        raise SourceError(
            f"the soundfont plays nothing for program {program}; expected {SOUNDFONT.file_name}"
        )
    return sound * (rng.uniform(*_PEAKS) / peak)
