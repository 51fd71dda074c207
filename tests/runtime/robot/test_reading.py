# SPDX-License-Identifier: Apache-2.0
"""robot.toml: what it may say, and how mistakes in it are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sensebind.config import StreamConfig
from sensebind.describing import LabelSettings
from sensebind.errors import InputError
from sensebind.robot.config import RobotConfig
from sensebind.robot.device_config import MicrophoneDevice
from sensebind.robot.reading import files_of, read_robot_config
from sensebind.types import Modality

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[[str], Path]


def test_an_empty_file_is_a_robot_of_defaults(tmp_path: Path) -> None:
    path = tmp_path / "robot.toml"
    path.write_text("")
    assert read_robot_config(path) == RobotConfig()


def test_all_of_it_is_typed(write: Write, tmp_path: Path) -> None:
    config = read_robot_config(
        write(
            """
            hop_s = 1
            prompts = "a dog,rain"
            [streams."/mic/audio"]
            modality = "audio"
            policy = "queue"
            [devices.mic]
            kind = "microphone"
            channels = 2
            [labels]
            temperature = 0.1
            smoothing = "majority"
            [output]
            file = "out/robot.parquet"
            """
        )
    )
    assert config.hop_s == 1.0
    assert config.streams == {"/mic/audio": StreamConfig(modality=Modality.AUDIO, policy="queue")}
    assert config.devices == {"mic": MicrophoneDevice(channels=2)}
    assert config.labels == LabelSettings(temperature=0.1, smoothing="majority")
    assert config.prompts == {"a dog": ("a dog",), "rain": ("rain",)}
    assert config.output is not None
    assert config.output.file == str(tmp_path / "out" / "robot.parquet")


def test_prompts_may_be_a_table_or_a_file_beside_it(write: Write, tmp_path: Path) -> None:
    table = read_robot_config(write('[prompts]\ndog = ["a dog", "barking"]\nrain = ["rain"]'))
    (tmp_path / "p.toml").write_text('dog = ["a dog", "barking"]\nrain = ["rain"]')
    assert read_robot_config(write('prompts = "p.toml"')).prompts == table.prompts
    (tmp_path / "p.toml").write_text('cat = ["a cat"]\nrain = ["rain"]')
    assert read_robot_config(write('prompts = "p.toml"')).prompts != table.prompts


def test_files_that_are_read_once_are_told_apart_by_content(
    write: Write, tmp_path: Path, bundle_folder: Path
) -> None:
    config = read_robot_config(write('calibration = "c.toml"'))
    assert config.calibration == str(tmp_path / "c.toml")
    hashes = []
    for content in ("a = 1", "a = 2"):
        (tmp_path / "c.toml").write_text(content)
        hashes.append(files_of(config))
    assert hashes[0]["calibration"] != hashes[1]["calibration"]
    assert hashes[0]["bundle"] == hashes[1]["bundle"] != ""
    assert config.bundle == str(bundle_folder)


MISTAKES = {
    "hop_s = 0": r"robot\.toml: hop_s is 0, expected a number, at least 0\.001, at most 3600; cha",
    'hop_s = "often"': r'hop_s is "often", expected a number, at least 0\.001',
    "hops = 1": r"hops is not a key of this table; did you mean 'hop_s'\? Its keys: streams, hop_s",
    '[streams."/imu"]\nmodality = "imu"\nqueue = 0': r'streams\."/imu"\.queue is 0, expected a who',
    '[streams."/imu"]\nhop_s = 1': r'streams\."/imu"\.modality is missing; add it: the encoder',
    '[streams.imu]\nmodality = "smell"': r'streams\.imu\.modality is "smell", expected one of .*im',
    '[streams.mic]\nmodality = "audio"\nscale = 2.0': r"streams\.mic: scale=2 does not apply to au",
    "streams = 3": r"streams is 3, expected a table",
    '[devices.a]\nkind = "lidar"': r'devices\.a\.kind is "lidar", expected one of "microphone", "c',
    "[devices.a]\nkind = [1]": r'devices\.a\.kind is \[1\], expected one of "microphone"',
    "[devices.a]\nport = 3": r'devices\.a\.kind is missing; expected one of "microphone"',
    '[devices.a]\nkind = "imu_udp"\nport = 0': r"devices\.a\.port is 0, expected a whole number, a",
    '[devices.a]\nkind = "camera"\ndevice = "0"\nwidth = 3': r"devices\.a: width is 3 and heigh",
    "[labels]\nmargin = 0.1": r"toml: labels are set, but there are no classes; give prompts",
    "[labels]\nmargin = 2": r"labels\.margin is 2, expected a number, at least 0, at most 1",
    "[changes]\nthreshold = 0.1": r"changes\.file is missing; add it: takes a JSON line for each",
    "hop_s = nan": r"hop_s is nan, expected a number, at least 0\.001",
    "[prompts]\ndog = []\ncat = ['a cat']": r"prompts\.dog is \[\], expected a text; add one",
    "[fusion]\nconfidence = {audo = 1}": r"fusion: confidence names 'audo', expected modalities: v",
    "prompts = 3": r"prompts is 3, expected a text or a table",
    "prompts = 'p.toml'": r"robot\.toml: cannot read the prompts in .*p\.toml: No such file",
    "[prompts]\ndog = 'a dog'": r'prompts\.dog is "a dog", expected a list of texts; change it',
    "[fusion]\nconfidence = {audio = -1}": r"fusion\.confidence\.audio is -1, expected a",
    "[output]\nfile = 'a.parquet'\nrotate_s = -1": r"output\.rotate_s is -1, expected a number, at",
    "[health]\nport = 70000": r"health\.port is 70000, expected a whole number, at least 0, at m",
    "[engines]\nbuild = 1": r"engines\.build is 1, expected true or false",
    "[engines]\nmeanwhile = 'gpu'": r'engines\.meanwhile is "gpu", expected one of cpu, wait',
    "[engines]\nmemory_mib = 8": r"engines\.memory_mib is 8, expected a whole number, at least 256",
    "backend = 'openvino'\n[engines]\nbuild = true": r'is "openvino", which runs no plans; set',
    "[": r"robot\.toml is not TOML: .*; mend that place",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_told_by_key_value_and_expectation(write: Write, text: str) -> None:
    with pytest.raises(InputError, match=MISTAKES[text]):
        read_robot_config(write(text))


def test_nesting_without_end_is_told(write: Write) -> None:
    with pytest.raises(InputError, match=r"robot\.toml is not TOML: .*(recursion|nested)"):
        read_robot_config(write("x = " + "[" * 9999))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*robot\.toml: No such file or directory"):
        read_robot_config(tmp_path / "robot.toml")
