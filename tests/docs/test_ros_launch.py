# SPDX-License-Identifier: Apache-2.0
"""docs/ros.md against the launch files, the player and the recorder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sensebind_bringup.plan import PROFILE_VARIABLES
from sensebind_bringup.plans import BRINGUPS, LIVE, REPLAY

if TYPE_CHECKING:
    from sensebind_bringup.arguments import Argument

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/ros.md").read_text()
NODES = ROOT / "ros_nodes/sensebind_ros/sensebind_ros"
LAUNCHING = PAGE.partition("\n## The node\n")[0]  # whose parameters have tables too
FOUND = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", LAUNCHING, re.MULTILINE)
ROWS = {name: (default, what) for name, default, what in FOUND}


@pytest.mark.parametrize("argument", [*LIVE.arguments, *REPLAY.arguments], ids=lambda a: a.name)
def test_arguments_have_a_row_that_says_what_they_do(argument: Argument) -> None:
    default, description = ROWS[argument.name]
    assert description == argument.description
    if argument.default and argument.name != "python":
        assert f"`{argument.default}`" in default


def test_every_argument_of_every_plan_is_spoken_of() -> None:
    for bringup in BRINGUPS.values():
        assert f"`{bringup.name}_launch.py`" in PAGE
        for argument in bringup.arguments:
            assert f"`{argument.name}`" in PAGE, f"{bringup.name}: {argument.name}"


@pytest.mark.parametrize("program", ["player", "recorder"])
def test_options_are_those_of_the_programs(program: str) -> None:
    options = set(re.findall(r"add\w*\(\s*\"(--[a-z-]+)\"", (NODES / f"{program}.py").read_text()))
    assert options
    begin = PAGE.index(f"## The {program}")
    section = PAGE[begin : PAGE.find("\n## ", begin + 1)]
    assert set(re.findall(r"(?<![\w-])(--[a-z][a-z-]*)", section)) == options


def test_the_profile_is_told_of_by_both_names() -> None:
    assert all(name in PAGE for name in PROFILE_VARIABLES)
