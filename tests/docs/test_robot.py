# SPDX-License-Identifier: Apache-2.0
"""The page on a robot's service: its files are valid, its commands run, its tables are complete."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

import pytest

from sensebind.errors import InputError
from sensebind.robot.health import Status
from sensebind.robot.keys import keys_text, with_keys
from sensebind.robot.reading import read_robot_config
from tests.docs.test_docs import ROOT, blocks, commands, run

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "robot.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = [words[1:] for words in commands(PAGE) if words[0] == "sensebind"]
HERE, ROBOT, PLANS = blocks(PAGE, "toml")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's first file, and the recording it plays."""
    folder = tmp_path_factory.mktemp("robot")
    sample = ROOT / "runtime" / "sensebind" / "_data" / "sample" / "sample.mcap"
    (folder / "drive.mcap").symlink_to(sample)
    (folder / "robot.toml").write_text(HERE, encoding="utf-8")
    return folder


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_its_commands_run(workplace: Path, words: list[str]) -> None:
    run(["sensebind", *words], workplace)


def test_the_robot_with_sensors_is_valid(tmp_path: Path) -> None:
    (tmp_path / "robot.toml").write_text(ROBOT, encoding="utf-8")
    config = read_robot_config(tmp_path / "robot.toml")
    assert set(config.devices) == {"mic", "depth", "front", "imu"}
    assert config.health.port == 8080


def test_the_robot_that_builds_its_plans_is_valid(tmp_path: Path) -> None:
    (tmp_path / "robot.toml").write_text(f"{ROBOT}\n{PLANS}", encoding="utf-8")
    assert read_robot_config(tmp_path / "robot.toml").engines.build


def test_its_mistake_is_told_as_it_says(tmp_path: Path) -> None:
    path = tmp_path / "robot.toml"
    path.write_text(HERE.replace("priority = 5", "queue = 0"), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_robot_config(path)
    assert str(caught.value).removeprefix(f"{tmp_path}/") in TEXT


def test_its_keys_are_those_that_are_read() -> None:
    assert with_keys(TEXT) == TEXT, "run: python -m sensebind.robot.keys docs/robot.md"


def test_every_key_has_a_meaning() -> None:
    assert not re.findall(r"^\| `\w+` \|.*\|  \|$", keys_text(), re.MULTILINE)


def test_every_status_is_told() -> None:
    (table,) = re.findall(r"\| `status` \| \|\n(.*?)\n\n", TEXT, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", table)) == set(get_args(Status))
