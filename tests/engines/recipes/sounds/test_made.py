# SPDX-License-Identifier: Apache-2.0
"""What is made: melodies on the pitches of their split, MIDI files, events of disjoint ranges."""

from __future__ import annotations

import hashlib
import importlib.util
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind.errors import MissingExtraError, SourceError
from sensebind_engines.recipes.debian import DebianPackage
from sensebind_engines.recipes.sounds import renders
from sensebind_engines.recipes.sounds.events import EVENTS
from sensebind_engines.recipes.sounds.instruments import INSTRUMENTS
from sensebind_engines.recipes.sounds.phrases import (
    SECONDS,
    Note,
    draw_phrase,
    midi_file,
    pitches_of,
)
from sensebind_engines.recipes.sounds.renders import RATE_HZ

if TYPE_CHECKING:
    from pathlib import Path

PARTS = ("train", "dev", "test")


@pytest.mark.parametrize("label", INSTRUMENTS)
def test_melodies_keep_to_the_pitches_of_their_split(label: str) -> None:
    instrument = INSTRUMENTS[label]
    heard = {}
    for part in PARTS:
        notes = draw_phrase(instrument, part, np.random.default_rng(0))
        heard[part] = {note.pitch for note in notes}
        assert heard[part] <= set(pitches_of(part, *instrument.pitches))
        assert notes[0].start_s == 0.0
        assert max(note.start_s + note.length_s for note in notes) <= SECONDS
    assert heard["train"].isdisjoint(heard["test"] | heard["dev"])
    assert heard["test"].isdisjoint(heard["dev"])


def test_every_pitch_is_of_one_split() -> None:
    found = [pitch for part in PARTS for pitch in pitches_of(part, 30, 60)]
    assert sorted(found) == list(range(30, 61))


def test_a_midi_file_to_the_byte() -> None:
    file = midi_file([Note(0.0, 0.25, 60, 90), Note(0.25, 0.5, 62, 80)], 40)
    track = bytes.fromhex("00c028 00903c5a 8170803c00 00903e50 8360803e00 b630ff2f00")
    header = bytes.fromhex("4d546864 00000006 0000 0001 01e0")
    assert file == header + b"MTrk" + len(track).to_bytes(4, "big") + track


@pytest.mark.parametrize("label", EVENTS)
def test_ranges_of_an_event_do_not_overlap(label: str) -> None:
    ranges = EVENTS[label].ranges
    ends = [*ranges.dev, *ranges.train, *ranges.test]
    assert ends == sorted(set(ends))


@pytest.mark.parametrize("label", EVENTS)
@pytest.mark.parametrize("end", [0, 1])
def test_every_window_of_an_event_holds_something(label: str, end: int) -> None:
    event = EVENTS[label]
    for parameter in (event.ranges.dev[0], event.ranges.train[end], event.ranges.test[1]):
        sound = event.make(parameter, np.random.default_rng(3))
        assert sound.shape == (round(SECONDS * RATE_HZ),)
        assert np.abs(sound).max() == pytest.approx(1.0)
        windows = sound.reshape(4, -1)
        assert np.sqrt(np.square(windows).mean(axis=1)).min() > 0.01
        again = event.make(parameter, np.random.default_rng(3))
        assert np.array_equal(sound, again)


def test_an_alarm_has_its_tone() -> None:
    sound = EVENTS["alarm"].make(2900.0, np.random.default_rng(0))
    spectrum = np.abs(np.fft.rfft(sound))
    assert spectrum.argmax() / SECONDS == pytest.approx(2900.0, abs=5)


def test_a_missing_synthesizer_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "midirenderer", None)
    with pytest.raises(MissingExtraError, match=r"sensebind\[recipes\]"):
        renders.render(b"", INSTRUMENTS["piano"], 0, "train", np.random.default_rng(0))


@pytest.mark.skipif(
    importlib.util.find_spec("midirenderer") is None, reason="midirenderer is not installed"
)
def test_an_unpacked_soundfont_that_changed_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = b"a soundfont"
    digest = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(DebianPackage, "find", lambda _, cache: cache / "x.deb")
    monkeypatch.setattr(renders, "read_members", lambda _, names: dict.fromkeys(names, content))
    monkeypatch.setattr(renders, "_UNPACKED_SHA256", digest)
    assert renders.open_soundfont(tmp_path) == content
    (tmp_path / "FluidR3_GM.sf2").write_bytes(content[:-1])
    with pytest.raises(SourceError, match=rf"sf2' has sha256 \w+, expected {digest}; delete it"):
        renders.open_soundfont(tmp_path)


def test_silence_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    import midirenderer
    import soundfile

    silent = io.BytesIO()
    soundfile.write(silent, np.zeros((48_000, 2)), 48_000, format="WAV")
    monkeypatch.setattr(midirenderer, "render_wave_from", lambda *_: silent.getvalue())
    with pytest.raises(SourceError, match=r"plays nothing for program 5.*fluid-soundfont-gm"):
        renders.render(b"", INSTRUMENTS["piano"], 5, "train", np.random.default_rng(0))
