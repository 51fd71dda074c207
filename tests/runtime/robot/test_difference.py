# SPDX-License-Identifier: Apache-2.0
"""What a new configuration takes."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from sensebind.config import StreamConfig
from sensebind.describing import LabelSettings
from sensebind.robot.config import EnginesConfig, HealthConfig, OutputConfig, RobotConfig
from sensebind.robot.device_config import MicrophoneDevice
from sensebind.robot.difference import Difference, difference
from sensebind.types import Modality

IMU = StreamConfig(modality=Modality.IMU)
OLD = RobotConfig(prompts="a,b", streams={"/imu": IMU})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Difference()),
        ({"prompts": "a,c"}, Difference(at_once=("prompts",))),
        ({"labels": LabelSettings(margin=0.1)}, Difference(at_once=("labels",))),
        ({"output": OutputConfig(file="a.parquet")}, Difference(at_once=("output",))),
        ({"health": HealthConfig(port=80)}, Difference(at_once=("health",))),
        ({"engines": EnginesConfig(build=True)}, Difference(at_once=("engines",))),
        ({"hop_s": 0.5}, Difference(run=("hop_s",))),
        ({"devices": {"mic": MicrophoneDevice()}}, Difference(run=("devices",))),
        ({"threads": 2}, Difference(bundle=("threads",))),
        ({"bundle": "other", "hop_s": 1.0}, Difference(run=("hop_s",), bundle=("bundle",))),
        (
            {"streams": {"/imu": replace(IMU, policy="queue", priority=3)}},
            Difference(at_once=('streams."/imu"',)),
        ),
        ({"streams": {"/imu": replace(IMU, hop_s=1.0)}}, Difference(run=('streams."/imu"',))),
        ({"streams": {"/imu": IMU, "/b": IMU}}, Difference(run=('streams."/b"',))),
        ({"streams": {}}, Difference(run=('streams."/imu"',))),
    ],
)
def test_keys_are_sorted_by_what_they_take(changes: dict[str, Any], expected: Difference) -> None:
    assert difference(OLD, replace(OLD, **changes), {}, {}) == expected


@pytest.mark.parametrize("build", [False, True])
def test_whether_engines_may_do_without_their_plans_takes_the_bundle_anew(build: bool) -> None:
    named = replace(OLD, backend="tensorrt", engines=EnginesConfig(build=build))
    changed = replace(named, engines=EnginesConfig(build=not build))
    assert difference(named, changed, {}, {}) == Difference(bundle=("engines",))
    waiting = replace(named, engines=EnginesConfig(build=True, meanwhile="wait"))
    expected = Difference(bundle=("engines",)) if build else Difference(at_once=("engines",))
    assert difference(named, waiting, {}, {}) == expected


def test_the_content_of_files_counts() -> None:
    config = replace(OLD, calibration="c.toml")
    before, after = {"calibration": "1", "bundle": "2"}, {"calibration": "3", "bundle": "4"}
    assert difference(config, config, before, after).restarts == ("calibration", "bundle")
