# SPDX-License-Identifier: Apache-2.0
"""From values of parameters to settings, without ROS."""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING, Any

import pytest

from sensebind.config import StreamConfig
from sensebind.errors import ConfigError
from sensebind.labelling import LabelConfig
from sensebind.robot.reading import read_robot_config
from sensebind.types import Modality
from sensebind_ros.configs import NodeConfig, TopicConfig
from sensebind_ros.settings import (
    When,
    changed,
    check_given,
    defaults_of,
    general_parameters,
    settings_from,
    stream_parameters,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_nothing_set_is_the_classes_defaults() -> None:
    settings = settings_from({})
    assert settings.node == NodeConfig()
    assert settings.labels == LabelConfig()
    assert (settings.topics, settings.pipeline.streams) == ({}, {})
    assert settings.pipeline.source_timeout_s == 3600  # silent topics are not opened anew


def test_misspelt_parameters_are_told_from_those_of_other_nodes() -> None:
    check_given(["bundle", "imu.topic", "camera.topc", "other_nodes_own"], ["imu"])
    with pytest.raises(ConfigError, match=r"imu\.topc is given, .*did you mean imu\.topic\?"):
        check_given(["imu.topc"], ["imu"])
    with pytest.raises(ConfigError, match=r"labels\.smoothin is given, .*mean labels\.smoothing\?"):
        check_given(["labels.smoothin"], [])
    with pytest.raises(ConfigError, match=r"imu\.zzzzzzzz is given, .*; See `ros2 param list`"):
        check_given(["imu.zzzzzzzz"], ["imu"])


def test_streams_have_parameters_of_their_own() -> None:
    settings = settings_from(
        {
            "streams": ["imu", "mic"],
            "imu.topic": "imu/data",
            "imu.hop_s": 1,  # a whole number is a number
            "imu.frame": array("d", [0, 0, 1, -1, 0, 0, 0, -1, 0]),
            "mic.modality": "audio",
            "mic.rate_hz": 16_000.0,
            "mic.queue_s": 3.0,
            "labels.margin": 0.1,
            "hop_s": 0.5,
            "camera.hop_s": 0.25,  # no stream
        }
    )
    frame = (0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
    assert settings.pipeline.streams == {
        "imu": StreamConfig(modality=Modality.IMU, hop_s=1.0, frame=frame),
        "mic": StreamConfig(modality=Modality.AUDIO, rate_hz=16_000.0),
    }
    assert settings.topics == {
        "imu": TopicConfig(topic="imu/data"),
        "mic": TopicConfig(queue_s=3.0),
    }
    assert settings.labels.margin == 0.1
    assert settings.pipeline.hop_s == 0.5


def test_empty_text_is_not_set() -> None:
    settings = settings_from({"streams": ["imu"], "imu.topic": "", "imu.frame": " ", "prompts": ""})
    assert settings.topics["imu"].topic is None
    assert settings.pipeline.streams["imu"].frame is None
    assert settings.node.prompts is None


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"streams": ["mic"]}, "mic.modality is not set; expected one of vision, audio, depth"),
        ({"streams": ["imu"], "imu.hop_s": -1.0}, "imu.hop_s is -1.0, expected a number, a"),
        ({"streams": ["imu"], "imu.policy": "x"}, "imu.policy is 'x', expected one of block, la"),
        ({"hop_s": float("nan")}, "hop_s is nan, expected a finite number"),
        ({"hop_s": float("inf")}, "hop_s is inf, expected a finite number"),
        ({"streams": ["imu"], "imu.frame": [1.0, 2.0]}, "imu: frame=1;2: expected one of body"),
        ({"streams": ["imu"], "imu.rate_hz": 3.0}, "imu: rate=3 does not apply to imu"),
        ({"threads": 1.5}, "threads is 1.5, expected a whole number"),
        ({"streams": ["a", "a"], "a.modality": "imu"}, "streams has 'a' twice"),
        ({"streams": ["/imu"]}, "streams has '/imu'; expected letters, digits and underscores"),
        ({"streams": ["labels"]}, "streams has 'labels'; expected"),
        ({"streams": ["joint"]}, "streams has 'joint'; expected"),
        ({"fusion.wait_s": -1.0}, "fusion.wait_s is -1.0, expected a number, at least 0"),
        ({"changes.release": 0.5}, "changes: release=0.5 is above threshold=0.3"),
        ({"streams": ["t"], "t.modality": "text"}, "t.modality is 'text', which comes from"),
        ({"streams": ["imu"], "imu.accel_topic": "a"}, "imu.gyro_topic is not set, but the other"),
        ({"streams": ["imu"], "imu.gyro_topic": "a"}, "imu.accel_topic is not set, but the other"),
        (
            {"streams": ["depth"], "depth.target_frame": "base_link"},
            "depth.target_frame is 'base_link', but the stream is depth; it is an option of imu",
        ),
    ],
)
def test_what_does_not_fit_is_named(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        settings_from(values)


def test_parameters_are_the_fields() -> None:
    general = {each.name: each for each in general_parameters()}
    assert {"bundle", "hop_s", "threads", "labels.smoothing"} <= general.keys()
    assert not {"order", "source_timeout_s"} & general.keys()
    assert general["bundle"].when is When.NOT_CONFIGURED
    assert general["prompts"].when is When.AT_ONCE
    assert general["config"].when is When.AT_START
    assert general["fusion.wait_s"].when is When.NEW_RUN
    own = {each.name: each for each in stream_parameters("imu")}
    assert own["imu.hop_s"].when is When.NEW_RUN
    assert own["imu.topic"].when is When.NOT_ACTIVE
    assert all(each.field.description for each in [*general.values(), *own.values()])


ROBOT = """
bundle = "mine"
hop_s = 0.5
[prompts]
still = ["standing", "at rest"]
moving = ["going"]
[labels]
margin = 0.2
temperature = 0.05
[streams.imu]
modality = "imu"
frame = "ned"
[streams.mic]
modality = "audio"
policy = "queue"
[fusion]
confidence = { imu = 0.5 }
min_streams = 2
[changes]
file = "changes.jsonl"
threshold = 0.4
[output]
file = "embeddings.parquet"
"""


def test_a_robot_toml_gives_the_defaults(tmp_path: Path) -> None:
    """Values of parameters win; prompts and confidence, which are tables, come from the file."""
    path = tmp_path / "robot.toml"
    path.write_text(ROBOT)
    robot = read_robot_config(path)
    defaults = defaults_of(robot)
    settings = settings_from(defaults, robot)
    assert settings.pipeline.streams == robot.streams
    assert settings.pipeline.hop_s == 0.5
    assert settings.node.bundle == "mine"
    assert settings.node.temperature == 0.05
    assert settings.labels == LabelConfig(margin=0.2)
    assert settings.prompts == {"still": ("standing", "at rest"), "moving": ("going",)}
    assert settings.describing.fusion == robot.fusion
    assert settings.describing.changes is not None
    assert settings.describing.changes.threshold == 0.4
    given = {"bundle": "demo", "prompts": "a, b", "imu.frame": "optical", "tell_changes": False}
    settings = settings_from({**defaults, **given, "fusion.wait_s": 3.0}, robot)
    assert (settings.node.bundle, settings.prompts) == ("demo", "a, b")
    assert settings.pipeline.streams["imu"].frame == "optical"
    assert settings.pipeline.streams["mic"] == robot.streams["mic"]
    assert settings.describing.changes is None
    assert settings.describing.fusion is not None
    assert settings.describing.fusion.wait_s == 3.0
    assert settings.describing.fusion.confidence == {"imu": 0.5}


def test_streams_of_a_robot_toml_need_names_of_parameters(tmp_path: Path) -> None:
    path = tmp_path / "robot.toml"
    path.write_text('[streams."/imu"]\nmodality = "imu"\n')
    with pytest.raises(ConfigError, match=re.escape("streams has '/imu'; expected letters")):
        defaults_of(read_robot_config(path))


def test_changes_are_told_apart() -> None:
    before = {"hop_s": None, "threads": 1}
    after = {"hop_s": 0.5, "threads": 1}
    assert [each.name for each in changed(general_parameters(), before, after)] == ["hop_s"]
    assert str(When.NOT_ACTIVE) == "while not active"
