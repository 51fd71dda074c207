# SPDX-License-Identifier: Apache-2.0
"""Melodies drawn at random, over pitches that belong to one split each, as standard MIDI files."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from sensebind_engines.recipes.sounds.instruments import Instrument

SECONDS = 8.0
"""Length of every melody."""

_TICKS_PER_S = 960  # 480 per quarter note at 120 of them per minute, which files have by default
_BEATS_S = (0.125, 0.25, 0.25, 0.5, 0.5, 1.0)
_VELOCITIES = (45, 118)
_LARGEST_STEP = 4
_REST = 0.08
_LEGATO = (0.7, 1.05)

_PITCHES = {"dev": 1, "test": 3}
"""Remainder by 5 of the pitches kept for a split; the others are for training."""


class Note(NamedTuple):
    """Start and length in s, MIDI pitch and velocity."""

    start_s: float
    length_s: float
    pitch: int
    velocity: int


def pitches_of(part: str, lowest: int, highest: int) -> list[int]:
    """The pitches of a range that may sound in "train", "dev" or "test", rising."""
    kept = {remainder: split for split, remainder in _PITCHES.items()}
    return [p for p in range(lowest, highest + 1) if kept.get(p % 5, "train") == part]


def draw_phrase(instrument: Instrument, part: str, rng: np.random.Generator) -> list[Note]:
    """A walk up and down the pitches of a split, of `SECONDS`, with chords where voices allow."""
    pitches = pitches_of(part, *instrument.pitches)
    tempo = rng.uniform(0.7, 1.4)
    place = int(rng.integers(len(pitches)))
    notes, at_s = [], 0.0
    while at_s < SECONDS - 0.1:
        length_s = float(rng.choice(_BEATS_S)) / tempo
        if at_s == 0.0 or rng.random() > _REST:
            count = int(rng.integers(1, instrument.voices + 1))
            held_s = min(length_s * float(rng.uniform(*_LEGATO)), SECONDS - at_s)
            velocity = int(rng.integers(*_VELOCITIES))
            above = (place + 2 * voice for voice in range(count))
            chord = {pitches[min(index, len(pitches) - 1)] for index in above}
            notes += [Note(at_s, held_s, pitch, velocity) for pitch in sorted(chord)]
        at_s += length_s
        step = int(rng.integers(-_LARGEST_STEP, _LARGEST_STEP + 1))
        place = min(max(place + step, 0), len(pitches) - 1)
    return notes


def midi_file(notes: Sequence[Note], program: int) -> bytes:
    """A file of one track on channel 0 that plays the notes on a program."""
    events = [(0, 0, bytes([0xC0, program]))]
    for note in notes:
        start = round(note.start_s * _TICKS_PER_S)
        end = start + max(round(note.length_s * _TICKS_PER_S), 1)
        events.append((start, 2, bytes([0x90, note.pitch, note.velocity])))
        events.append((end, 1, bytes([0x80, note.pitch, 0])))  # before what begins there
    events.append((round(SECONDS * _TICKS_PER_S), 3, b"\xff\x2f\x00"))
    track, now = b"", 0
    for ticks, _, message in sorted(events):
        track += _variable_length(ticks - now) + message
        now = ticks
    header = b"MThd" + (6).to_bytes(4, "big") + bytes([0, 0, 0, 1]) + (480).to_bytes(2, "big")
    return header + b"MTrk" + len(track).to_bytes(4, "big") + track


def _variable_length(value: int) -> bytes:
    """Seven bits per byte, the highest first; all but the last have their top bit set."""
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(0x80 | value & 0x7F)
    return bytes(reversed(found))
