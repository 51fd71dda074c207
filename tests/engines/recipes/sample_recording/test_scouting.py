# SPDX-License-Identifier: Apache-2.0
"""The choice of models: by the rule, from the stored scores, on views the recording never has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="the recording's modules need the recipes extra")
pytest.importorskip("scipy", reason="the recording's modules need the recipes extra")

from sensebind_engines.recipes.sample_recording import scouting
from sensebind_engines.recipes.sample_recording.library import CREDITS
from sensebind_engines.recipes.sample_recording.models3d import load_model
from sensebind_engines.recipes.sample_recording.scene import PLACES
from tests.engines.recipes.sample_recording.fakes import model_library

if TYPE_CHECKING:
    from pathlib import Path


def test_the_recording_shows_exactly_the_chosen_models() -> None:
    chosen = {(s.label, s.library, s.model) for s in scouting.choose(scouting.read_report())}
    assert chosen == {(place.label, place.library, place.model) for place in PLACES}


def test_every_library_is_credited() -> None:
    assert {place.library for place in PLACES} == set(CREDITS)


def test_no_model_is_seen_from_a_studio_side() -> None:
    assert {place.turn_deg for place in PLACES}.isdisjoint(scouting.STUDIO_TURNS_DEG)


@pytest.mark.parametrize(
    ("share", "height_m", "eligible"),
    [(1.0, 0.4, True), (0.9, 2.0, True), (0.89, 2.0, False), (1.0, 0.39, False)],
)
def test_rule(share: float, height_m: float, *, eligible: bool) -> None:
    score = scouting.Score("thing", "library", "key", height_m, 12, share, 0.3)
    assert score.is_eligible is eligible
    assert (score in scouting.choose([score])) is eligible


def test_the_best_model_of_the_best_classes_wins() -> None:
    scores = [
        scouting.Score(str(k % 8), "library", f"key {k}", 1.0, 12, 1.0, k / 20) for k in range(16)
    ]
    chosen = scouting.choose(scores)
    assert [score.label for score in chosen] == ["7", "6", "5", "4", "3", "2"]
    assert [score.model for score in chosen] == [f"key {k}" for k in (15, 14, 13, 12, 11, 10)]


def test_report_round_trip(tmp_path: Path) -> None:
    scores = scouting.read_report()
    scouting.write_report(tmp_path / "report.json", scores)
    rows = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert tuple(scouting.Score(**row) for row in rows) == scores


def test_studio_views_show_the_model_at_the_size_asked_for() -> None:
    model = load_model(model_library(("cube",), (50, 50, 50)), "cube")
    views = scouting.studio_views(model)
    assert views.shape == (
        len(scouting.STUDIO_TURNS_DEG) * len(scouting.STUDIO_FILL), 240, 320, 3,
    )  # fmt: skip
    small, large = views[0].astype(int), views[1].astype(int)
    empty = np.array([150, 148, 140])
    share = [np.mean(np.abs(view - empty).max(axis=-1) > 60) for view in (small, large)]
    assert share[0] < share[1]
