# SPDX-License-Identifier: Apache-2.0
"""Truth: only what the motion confirms, views joined, and the document's schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="the recording's modules need the recipes extra")

from sensebind_engines.recipes.sample_recording import truth
from sensebind_engines.recipes.sample_recording.episode import SPEC, Act, acts
from sensebind_engines.recipes.sample_recording.scene import PLACES
from sensebind_engines.recipes.sample_recording.sounds import Heard
from sensebind_engines.recipes.sample_recording.truth import Origin, Segment
from sensebind_engines.recipes.simulation.behaviours import Spin, Still
from sensebind_engines.recipes.simulation.domains import SHIFT, TRAINING
from sensebind_engines.recipes.simulation.labels import CLASSES
from sensebind_engines.recipes.simulation.log import Impact, Interval, SimLog
from sensebind_engines.recipes.simulation.mjcf import PHYSICS_HZ
from sensebind_engines.recipes.simulation.sensors import sample_imu_model

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 10.0
HEARD = Heard("rain", 2.0, 5.0, np.zeros(48_000), "by Ada")


def _log(speed_m_s: np.ndarray) -> SimLog:
    """A run along x at the given speed per physics step, in contact, not turning."""
    count = len(speed_m_s)
    velocity_m_s = np.zeros((count, 3))
    velocity_m_s[:, 0] = speed_m_s
    position_m = np.cumsum(velocity_m_s, axis=0) / PHYSICS_HZ
    return SimLog(
        motion=np.zeros((count, 6)),
        contact_n=np.ones((count, 4)),
        wheel_rad_s=np.zeros((count, 2)),
        position_m=position_m,
        velocity_m_s=velocity_m_s,
        up=np.tile([0.0, 0.0, 1.0], (count, 1)),
        intervals=(Interval(0.0, count / PHYSICS_HZ, ""),),
        impacts=(Impact(3.0, 100.0),),
        pose_times_s=np.zeros(0),
        poses=np.zeros((0, 7)),
    )


def test_a_segment_is_what_the_motion_confirms() -> None:
    speed = np.zeros(round(SECONDS * PHYSICS_HZ))
    speed[: 3 * PHYSICS_HZ] = 0.5  # still rolling for the first 3 s of an act meant as still
    found = truth.segments(_log(speed), ((0.0, SECONDS, Act(Still(SECONDS))),), ())
    assert [(row.modality, row.label) for row in found] == [("imu", "still")]
    assert found[0].start_s == pytest.approx(3.0, abs=0.1)
    assert found[0].end_s == pytest.approx(SECONDS)


def test_an_act_that_motion_does_not_confirm_gives_no_segment() -> None:
    speed = np.zeros(round(SECONDS * PHYSICS_HZ))
    assert truth.segments(_log(speed), ((0.0, SECONDS, Act(Spin(SECONDS))),), ()) == []
    assert truth.segments(_log(speed), ((0.0, SECONDS, Act(Spin(SECONDS, ""))),), ()) == []


def test_views_of_one_thing_are_joined_and_of_others_are_not() -> None:
    acts_ = (Act(Spin(3.0, ""), "lamp", 1.0), Act(Spin(2.0, ""), "lamp"), Act(Spin(5.0, ""), "fan"))
    spans = ((0.0, 3.0, acts_[0]), (3.0, 5.0, acts_[1]), (5.0, 10.0, acts_[2]))
    speed = np.zeros(round(SECONDS * PHYSICS_HZ))
    found = truth.segments(_log(speed), spans, ())
    for sense in ("vision", "depth", "thermal"):
        assert [row for row in found if row.modality == sense] == [
            Segment(1.0, 5.0, sense, "lamp"),
            Segment(5.0, 10.0, sense, "fan"),
        ]


def test_a_later_view_of_the_same_thing_is_a_segment_of_its_own() -> None:
    spans = (
        (0.0, 3.0, Act(Spin(3.0, ""), "lamp")),
        (3.0, 5.0, Act(Spin(2.0, ""))),
        (5.0, 10.0, Act(Spin(5.0, ""), "lamp")),
    )
    speed = np.zeros(round(SECONDS * PHYSICS_HZ))
    found = [r for r in truth.segments(_log(speed), spans, ()) if r.modality == "vision"]
    assert [(row.start_s, row.end_s) for row in found] == [(0.0, 3.0), (5.0, 10.0)]


def test_what_sounds_is_in_the_truth() -> None:
    speed = np.zeros(round(SECONDS * PHYSICS_HZ))
    spans = ((0.0, SECONDS, Act(Spin(SECONDS, ""))),)
    assert truth.segments(_log(speed), spans, (HEARD,)) == [Segment(2.0, 5.0, "audio", "rain")]


def test_the_script_shows_every_class_and_every_place() -> None:
    script = list(acts())
    assert {act.view for act in script if act.view} == {place.label for place in PLACES}
    intents = {act.behaviour.label for act in script}
    assert intents - {"", "drive"} == set(CLASSES) - {"smooth", "rough"}
    assert 75.0 <= sum(act.behaviour.duration_s for act in script) <= 90.0


def test_the_robot_and_its_sensors_are_of_the_shifted_domain() -> None:
    for name in ("mass_kg", "half_length_m", "half_width_m", "wheel_radius_m", "friction",
                 "suspension_n_m", "imbalance_kg"):  # fmt: skip
        low, high = getattr(SHIFT, name)
        assert low <= getattr(SPEC, name) <= high
        low, high = getattr(TRAINING, name)
        assert not low <= getattr(SPEC, name) <= high


def test_document(tmp_path: Path) -> None:
    origin = Origin(7, "sample.mcap", "ab" * 32, 10**18, (1.0, 1.4), (HEARD,))
    rows = [Segment(0.5, 4.5, "imu", "still"), Segment(1.0, 3.0, "vision", "lamp")]
    log = _log(np.zeros(round(SECONDS * PHYSICS_HZ)))
    sensors = {"imu": sample_imu_model(np.random.default_rng(0)).truth()}
    truth.write_truth(tmp_path / "truth.json", origin, rows, sensors, log)
    document = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert document["segments"] == [
        {"start_ns": 10**18 + 500_000_000, "end_ns": 10**18 + 4_500_000_000, "modality": "imu",
         "label": "still"},
        {"start_ns": 10**18 + 1_000_000_000, "end_ns": 10**18 + 3_000_000_000,
         "modality": "vision", "label": "lamp"},
    ]  # fmt: skip
    assert [event["kind"] for event in document["events"]] == ["imu_gap", "impact"]
    assert document["nature"] == "simulated"
    assert set(document["natures"].values()) == {"simulated"}
    assert document["recording"] == {"file": "sample.mcap", "sha256": "ab" * 32}
    assert len(document["sensors"]["imu"]["accelerometer"]["bias"]) == 3
    assert document["generator"]["seed"] == 7
    assert document["credits"]["sounds"] == {"rain": "by Ada"}
    assert {row["modality"] for row in document["streams"].values()} == set(document["natures"])
