# SPDX-License-Identifier: Apache-2.0
"""Options of streams: names, values, units, and what is said of wrong ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sensebind.config import FRAMES, StreamConfig, stream_config_from_options
from sensebind.errors import ConfigError
from sensebind.units import imu_factors


def config(modality: str, **options: str) -> StreamConfig:
    return stream_config_from_options("/s", {"modality": modality, **options})


def test_the_unit_of_an_options_name_may_be_left_out() -> None:
    short = config("audio", rate="48000", hop="0.5", lateness="0.1", jitter="0.01")
    long = config("audio", rate_hz="48000", hop_s="0.5", lateness_s="0.1", jitter_s="0.01")
    assert short == long
    assert short.rate_hz == 48_000


def test_nine_numbers_are_a_frame() -> None:
    assert config("imu", frame="0;1;0;-1;0;0;0;0;1").rotation == FRAMES["rfu"]
    assert config("imu", frame="body").rotation is None
    assert config("imu").rotation is None


@pytest.mark.parametrize("name", sorted(FRAMES))
def test_frames_turn_up_to_z(name: str) -> None:
    """Each name tells where its axes point; the rotation must put "up" on the body's z."""
    axes = {"optical": "rdf", "ned": "frd", "enu": "rfu", "body": "flu"}.get(name, name)
    rotation = np.reshape(config("imu", frame=name).rotation or np.eye(3), (3, 3))
    directions = {"f": (1, 0, 0), "l": (0, 1, 0), "u": (0, 0, 1)}
    directions |= {"b": (-1, 0, 0), "r": (0, -1, 0), "d": (0, 0, -1)}
    for axis, letter in zip(np.eye(3), axes, strict=True):
        np.testing.assert_array_equal(rotation @ axis, directions[letter])
    assert np.linalg.det(rotation) == pytest.approx(1)


@pytest.mark.parametrize(
    ("modality", "options", "message"),
    [
        ("imu", {"hops": "1"}, r"unknown option 'hops' for stream '/s'; known options: .*\bhop,"),
        ("imu", {"hop": "0"}, r"stream '/s': hop=0: expected seconds from 0.001 to 3600"),
        ("imu", {"hop_s": "soon"}, r"hop=soon: expected seconds from 0.001"),
        ("imu", {"hop": "1", "hop_s": "1"}, r"has the option 'hop_s' twice"),
        ("imu", {"frame": "sideways"}, r"frame=sideways: expected one of body, flu, optical"),
        ("imu", {"frame": "1;0;0"}, r"frame=1;0;0: expected one of .* or nine numbers"),
        ("imu", {"frame": "1;x;0;0;1;0;0;0;1"}, r"frame=1;x;.*: expected one of body"),
        (
            "imu",
            {"unit": "g;kg"},
            r"stream '/s': unit=g;kg: 'kg' is not expected; give one of m/s\^2",
        ),
        ("imu", {"unit": "g;g"}, r"unit=g;g: 'g' is not expected"),
        ("vision", {"frame_pooling": "61"}, r"frame_pooling=61: expected .* at most 60"),
        ("imu", {"scale": "0.1"}, r"scale=0.1 does not apply to imu; it is an option of depth, th"),
        ("vision", {"frame": "optical"}, r"frame=optical does not apply to vision.* of imu"),
        ("depth", {"channels": "2"}, r"channels=2 does not apply to depth; .* of audio streams"),
        ("audio", {"channels": "0"}, r"channels=0: expected 1 to 64"),
        ("audio", {"rate": "fast"}, r"rate=fast: expected a rate above 0 in hertz"),
        ("smell", {}, r"modality=smell: expected one of vision, text, audio"),
        ("vision", {"trigger": "often"}, r"trigger=often: expected one of grid, frame"),
        ("imu", {"policy": "newest"}, r"policy=newest: expected one of latest, queue, block"),
        ("imu", {"queue": "0"}, r"queue=0: expected 1 to 1000 windows"),
        ("imu", {"priority": "high"}, r"priority=high: expected a whole number from -100 to 100"),
        ("imu", {"deadline": "0"}, r"deadline=0: expected seconds above 0"),
    ],
)
def test_wrong_options_name_option_value_and_expectation(
    modality: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        config(modality, **options)


@pytest.mark.parametrize(
    ("unit", "acceleration", "rate"),
    [
        (None, 1, 1),
        ("g", 9.80665, 1),
        ("mg", 9.80665e-3, 1),
        ("deg/s", 1, math.pi / 180),
        ("g;deg/s", 9.80665, math.pi / 180),
        ("dps; mg", 9.80665e-3, math.pi / 180),
        ("m/s²;rad/s", 1, 1),
    ],
)
def test_units_of_an_imu(unit: str | None, acceleration: float, rate: float) -> None:
    assert imu_factors(unit) == pytest.approx((acceleration, rate))
