# SPDX-License-Identifier: Apache-2.0
"""What is heard in the hall: one sound per class, at one level, where the truth says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

pytest.importorskip("mujoco", reason="the recording's modules need the recipes extra")
pytest.importorskip("scipy", reason="the recording's modules need the recipes extra")

from sensebind.errors import SourceError
from sensebind_engines.recipes.sample_recording import sounds
from sensebind_engines.recipes.sounds import test_side
from sensebind_engines.recipes.sounds.events import EVENTS
from sensebind_engines.recipes.sounds.instruments import INSTRUMENTS

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ, HEARD_HZ = 44_100, 16_000


def found(folder: Path, *labels: str) -> list[test_side.TestSound]:
    """Five seconds of faint noise each, loud from the third second on."""
    made = []
    for number, label in enumerate(labels):
        path = folder / f"{number}.wav"
        samples = 0.01 * np.random.default_rng(number).normal(size=5 * RATE_HZ)
        samples[3 * RATE_HZ :] *= 10 * (number + 1)
        soundfile.write(path, np.clip(samples, -1, 1), RATE_HZ)
        split = "events" if label in EVENTS else "notes"
        made.append(test_side.TestSound(label, split, path, 3.0, ""))
    return made


def test_each_class_sounds_once_at_one_level(tmp_path: Path) -> None:
    heard = sounds.arranged(found(tmp_path, *sounds.HALL, sounds.ALARM, "not asked for"))
    assert [one.label for one in heard] == [*sounds.HALL, sounds.ALARM]
    for one in heard:
        assert one.end_s - one.start_s == pytest.approx(len(one.samples) / HEARD_HZ)
        assert one.end_s - one.start_s <= sounds.PIECE_S
        loud = one.samples[-2 * HEARD_HZ :]
        assert np.sqrt(np.mean(loud**2)) == pytest.approx(sounds.LEVEL, rel=0.05)
    ends_s = [one.end_s for one in heard[:-1]]
    assert all(end <= after.start_s for end, after in zip(ends_s, heard[1:], strict=True))
    assert [bool(one.credit) for one in heard] == [True, False] * 5 + [False]


def test_no_recording_of_others_is_in_it() -> None:
    assert set(sounds.HALL) <= {*INSTRUMENTS, *EVENTS}
    assert len(set(sounds.HALL)) == len(sounds.HALL) == 10


def test_a_class_without_a_sound_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no sound of alarm; build the recipe 'sounds' again"):
        sounds.arranged(found(tmp_path, *sounds.HALL))
