# SPDX-License-Identifier: Apache-2.0
"""The first act through every sensor, in a hall furnished with cubes; twice the same."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="simulation and rendering need the recipes extra")
pytest.importorskip("scipy", reason="simulation needs the recipes extra")

from sensebind.errors import MissingExtraError
from sensebind_engines.recipes.sample_recording import build as recipe
from sensebind_engines.recipes.sample_recording import (
    episode,
    produce,
    render,
    scene,
    sheet,
    sounds,
)
from sensebind_engines.recipes.sample_recording.sounds import Heard
from tests.engines.recipes.sample_recording.fakes import model_library

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator
    from pathlib import Path

    from sensebind_engines.recipes.sample_recording.produce import Production
from sensebind_engines.recipes.simulation.behaviours import Still

CUT_S = 2.4
HEARD = (Heard("rain", 0.5, 1.5, np.full(16_000, 0.05), ""),)


@pytest.fixture(scope="module")
def libraries() -> dict[str, zipfile.ZipFile]:
    names = {place.library for place in scene.PLACES}
    models = tuple(place.model for place in scene.PLACES)
    return {name: model_library(models, (60, 60, 90)) for name in names}


@pytest.fixture(scope="module", autouse=True)
def _short() -> Iterator[None]:
    """Only the first act, and less of it."""
    first = next(episode.acts())
    assert isinstance(first.behaviour, Still)
    behaviour = replace(first.behaviour, duration_s=CUT_S)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(episode, "acts", lambda: iter([first._replace(behaviour=behaviour)]))
        yield


@pytest.fixture(scope="module")
def staged(libraries: dict[str, zipfile.ZipFile], _short: None) -> Production:
    return produce.stage(libraries, HEARD, 0)


def test_streams_agree_in_length_and_time(staged: Production) -> None:
    streams = staged.streams
    frames = round(CUT_S * episode.POSE_HZ)
    assert streams.colour.shape == (frames, 240, 320, 3)
    assert streams.depth_mm.shape == (frames // render.DEPTH_EVERY, 120, 160)
    assert streams.thermal_ck.shape == (frames // render.DEPTH_EVERY, 60, 80)
    np.testing.assert_allclose(np.diff(streams.frame_stamps_s), 1.0 / episode.POSE_HZ)
    assert len(streams.imu) == len(streams.imu_stamps_s) == CUT_S * staged.imu_model.rate_hz
    assert len(streams.audio) == round(CUT_S * 16_000)
    assert streams.labels == ((0.0, "still"),)


def test_at_rest_the_imu_feels_gravity(staged: Production) -> None:
    mean = staged.streams.imu.mean(axis=0)
    assert np.linalg.norm(mean[:3]) == pytest.approx(9.81, abs=0.5)
    assert np.abs(mean[3:]).max() < 0.05


def test_camera_and_depth_see_the_thing_in_front(staged: Production) -> None:
    """The cube's front stands 0.3 m nearer than the place's middle, or its edge a little more."""
    place = scene.PLACES[0]
    lens_m = episode.SPEC.half_length_m - 0.01
    expected_m = -place.position_m[0] - 0.3 - lens_m
    middle = staged.streams.depth_mm[0, 56:64, 76:84] / 1000.0
    assert np.median(middle) == pytest.approx(expected_m, abs=0.12)
    red = staged.streams.colour[0, 110:140, 140:180].astype(int)
    assert (red[..., 0] - red[..., 2]).max() > 60


def test_thermal_frames_show_the_temperatures_that_the_truth_tells(staged: Production) -> None:
    told_c = staged.temperatures.of_places(staged.performance.robot.model)["table"]
    middle = staged.streams.thermal_ck[:, 28:32, 38:42] / 100.0 - 273.15
    assert np.median(middle) == pytest.approx(told_c, abs=3.0)
    steps = np.diff(staged.streams.thermal_ck.astype(int), axis=0)
    assert np.abs(steps).mean() > 1  # noise of its own in every frame


def test_the_first_view_and_the_sound_are_in_the_truth(staged: Production) -> None:
    assert {(row.modality, row.label) for row in staged.segments} == {
        ("imu", "still"), ("vision", "table"), ("depth", "table"), ("thermal", "table"),
        ("audio", "rain"),
    }  # fmt: skip


def test_build_writes_the_same_bytes_twice(
    libraries: dict[str, zipfile.ZipFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "find_package", lambda cache: cache)
    monkeypatch.setattr(recipe, "open_libraries", lambda *_: libraries)
    monkeypatch.setattr(sounds, "sounds_of_the_hall", lambda _: HEARD)
    monkeypatch.setattr(sheet, "draw", lambda *_: None)
    first, second = (recipe.build(tmp_path / name, tmp_path) for name in "ab")
    for name in (recipe.RECORDING_NAME, recipe.TRUTH_NAME):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    document = json.loads((first / recipe.TRUTH_NAME).read_text(encoding="utf-8"))
    assert document["generator"]["seed"] == 0


def test_without_the_extra_the_build_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, produce.__name__, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sensebind\[recipes\]'"):
        recipe.build(tmp_path, tmp_path)
