# SPDX-License-Identifier: Apache-2.0
"""Sounds that no encoder of this recipe was trained on, for recordings that show what it does.

They are chosen by rule, never by what an encoder makes of them: of each class the first by name;
of recordings the first under CC0 and, where a class has none, the first under CC BY.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
import soundfile

from sensebind_engines.recipes.sounds.credits import read_credits

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind_engines.recipes.sounds.credits import Credit

_PIECE_S = 2.0


class TestSound(NamedTuple):
    """A sound of the test side.

    Attributes:
        label: class.
        split: "recordings", "notes" or "events"; see `dataset`.
        path: the file.
        loudest_s: where its loudest two seconds begin.
        credit: line of a notice; "" where the sound was made here.
    """

    label: str
    split: str
    path: Path
    loudest_s: float
    credit: str


def test_sounds(built: Path, cache: Path) -> list[TestSound]:
    """One sound of every class.

    Args:
        built: folder the recipe built.
        cache: what it was built with.

    Raises:
        SourceError: if the recordings' list of authors is not in the cache.
    """
    lines = (built / "final.jsonl").read_bytes().splitlines()
    rows = [msgspec.json.decode(line) for line in lines]
    credits_of = read_credits(cache)
    found: dict[str, TestSound] = {}
    for row in sorted(rows, key=lambda row: _order(row, credits_of)):
        if row["split"] in ("recordings", "notes", "events") and row["label"] not in found:
            path = (built / row["audio"]).resolve()
            credit = credits_of.get(path.stem) if row["split"] == "recordings" else None
            line = "" if credit is None else credit.line
            found[row["label"]] = TestSound(
                row["label"], row["split"], path, _loudest_s(path), line
            )
    return list(found.values())


def _order(row: dict[str, str], credits_of: dict[str, Credit]) -> tuple[bool, str]:
    """Recordings that need no credit first, then by name."""
    stem = row["audio"].rsplit("/")[-1].removesuffix(".ogg")
    credit = credits_of.get(stem)
    return (credit is not None and credit.licence != "CC0", row["audio"])


def _loudest_s(path: Path) -> float:
    samples, rate_hz = soundfile.read(path, always_2d=True)
    power = np.concatenate([[0.0], np.cumsum(np.square(samples).mean(axis=1))])
    length = min(round(_PIECE_S * rate_hz), len(samples))
    return int(np.argmax(power[length:] - power[:-length])) / float(rate_hz)
