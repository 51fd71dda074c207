# SPDX-License-Identifier: Apache-2.0
"""What is heard in the hall beside the robot: sounds from the test side of the sounds' split.

Instruments and synthesised events in turn, a class at equal distances of the alphabet, and an alarm
at the end; of each the sound that `sounds.test_side` picks, its loudest part, at one level. Nothing
is chosen by what an encoder makes of it. Recordings of others are not in it: those the encoders
were trained and measured on are not this project's to pass on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import soundfile
import soxr

from sensebind.errors import SourceError
from sensebind_engines.recipes.sample_recording.audio import RATE_HZ
from sensebind_engines.recipes.sounds import dataset
from sensebind_engines.recipes.sounds.events import EVENTS
from sensebind_engines.recipes.sounds.instruments import INSTRUMENTS
from sensebind_engines.recipes.sounds.test_side import test_sounds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind_engines.recipes.sounds.test_side import TestSound

PIECE_S = 3.0
_BEFORE_S = 0.5
"""Of a clip, before its loudest two seconds."""
_FADE_S = 0.05
LEVEL = 0.12
"""Root mean square of the loudest two seconds; full scale is 1."""
FIRST_S, EVERY_S = 1.0, 7.2
ALARM = "alarm"
ALARM_S = 79.0
"""The robot has fallen by then."""

_PAIRS = 5
_RENDERED = "rendered from the FluidR3 GM soundfont (Frank Wen, MIT)"


def _hall_classes() -> tuple[str, ...]:
    """Instruments and events in turn."""
    events = sorted(set(EVENTS) - {ALARM})
    chosen = [
        [names[index * len(names) // _PAIRS] for index in range(_PAIRS)]
        for names in (sorted(INSTRUMENTS), events)
    ]
    return tuple(label for pair in zip(*chosen, strict=True) for label in pair)


HALL = _hall_classes()
"""Classes that sound while the robot drives."""


class Heard(NamedTuple):
    """A sound in the hall.

    Attributes:
        label: its class.
        start_s, end_s: when.
        samples: float64 (n,) at 16 kHz.
        credit: where it comes from; "" where it was synthesised by this project.
    """

    label: str
    start_s: float
    end_s: float
    samples: NDArray[np.float64]
    credit: str


def sounds_of_the_hall(cache: Path) -> tuple[Heard, ...]:
    """All sounds in order; makes the data set of sounds in the cache where it is not there.

    Raises:
        SourceError: recordings or soundfont of the data set are missing or changed.
    """
    found = test_sounds(dataset.build(cache / "sounds", cache), cache)
    return arranged(found)


def arranged(found: Sequence[TestSound]) -> tuple[Heard, ...]:
    """Place one sound per class of the hall, in order, and the alarm.

    Raises:
        SourceError: a class has no sound.
    """
    by_label = {sound.label: sound for sound in found}
    starts_s = {label: FIRST_S + EVERY_S * index for index, label in enumerate(HALL)}
    starts_s[ALARM] = ALARM_S
    missing = [label for label in starts_s if label not in by_label]
    if missing:
        raise SourceError(f"no sound of {', '.join(missing)}; build the recipe 'sounds' again")
    return tuple(_heard(by_label[label], start_s) for label, start_s in starts_s.items())


def _heard(sound: TestSound, start_s: float) -> Heard:
    samples = _piece(sound.path, sound.loudest_s)
    end_s = start_s + len(samples) / RATE_HZ
    credit = "" if sound.split == "events" else _RENDERED
    return Heard(sound.label, start_s, end_s, samples, credit)


def _piece(path: Path, loudest_s: float) -> NDArray[np.float64]:
    """The loudest part at 16 kHz, faded in and out, at `LEVEL`."""
    samples, rate_hz = soundfile.read(path, always_2d=True)
    mono = soxr.resample(samples.mean(axis=1), rate_hz, RATE_HZ)
    count = min(round(PIECE_S * RATE_HZ), len(mono))
    begin = min(max(round((loudest_s - _BEFORE_S) * RATE_HZ), 0), len(mono) - count)
    piece = mono[begin : begin + count]
    squares = np.convolve(np.square(piece), np.ones(2 * RATE_HZ), "valid")
    loud = float(np.sqrt(squares.max() / (2 * RATE_HZ)))
    fade = np.minimum(np.arange(count), np.arange(count)[::-1]) / (_FADE_S * RATE_HZ)
    return np.asarray(piece / max(loud, 1e-9) * LEVEL * np.clip(fade, 0.0, 1.0))
