# SPDX-License-Identifier: Apache-2.0
"""The three ROS packages as ROS' own tools see them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.ros import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.ros

PACKAGES = {
    "sensebind_bringup": ROOT / "launch/sensebind_bringup",
    "sensebind_msgs": ROOT / "ros_nodes/sensebind_msgs",
    "sensebind_ros": ROOT / "ros_nodes/sensebind_ros",
}
BUILD_TYPES = {
    "sensebind_bringup": "ament_python",
    "sensebind_msgs": "ament_cmake",
    "sensebind_ros": "ament_python",
}
OPTIONAL = {"audio_common_msgs", "tf2_ros"}
"""Used where they are installed."""


def parsed(name: str) -> Any:
    from catkin_pkg.package import parse_package

    warnings: list[str] = []
    package = parse_package(str(PACKAGES[name]), warnings=warnings)
    assert not warnings
    return package


@pytest.mark.parametrize("name", PACKAGES)
def test_its_manifest_is_understood(name: str) -> None:
    package = parsed(name)
    package.validate()
    assert package.name == name
    assert package.get_build_type() == BUILD_TYPES[name]
    assert package.version == parsed("sensebind_msgs").version
    assert package.licenses == ["Apache-2.0"]


@pytest.mark.parametrize("name", ["sensebind_bringup", "sensebind_ros"])
def test_all_that_it_imports_from_ros_is_declared(name: str) -> None:
    declared = {dependency.name for dependency in parsed(name).exec_depends}
    used = set()
    for path in PACKAGES[name].rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                used |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                used.add(node.module.split(".")[0])
    ours = {each for each in used if each.endswith(("_msgs", "_srvs", "_interfaces"))}
    ours |= used & {"rclpy", "launch", "launch_ros"}
    assert ours - OPTIONAL <= declared


def colcon(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run colcon on the checkout, with its outputs in a folder of the test's."""
    prefix = sys.prefix
    variables = {**os.environ, "AMENT_PREFIX_PATH": prefix, "CMAKE_PREFIX_PATH": prefix}
    variables["PATH"] = f"{prefix}/bin:{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "colcon", "--log-base", str(folder / "log"), *words],
        cwd=folder, env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_colcon_finds_three_packages(tmp_path: Path) -> None:
    listed = colcon("list", "--base-paths", str(ROOT), folder=tmp_path).stdout.splitlines()
    assert [line.split("\t") for line in listed] == [
        [name, str(path), f"(ros.{BUILD_TYPES[name]})"] for name, path in PACKAGES.items()
    ]


@pytest.mark.slow
def test_colcon_builds_them(tmp_path: Path) -> None:
    colcon("build", "--base-paths", str(ROOT), folder=tmp_path)
    install = tmp_path / "install"
    share = install / "sensebind_bringup/share/sensebind_bringup"
    for kind in ("launch/*_launch.py", "config/*.yaml", "config/streams/*.yaml", "config/*.xml"):
        source = PACKAGES["sensebind_bringup"]
        expected = sorted(path.relative_to(source) for path in source.glob(kind))
        assert expected
        assert sorted(path.relative_to(share) for path in share.glob(kind)) == expected
    programs = install / "sensebind_ros/lib/sensebind_ros"
    names = sorted(path.name for path in programs.iterdir())
    assert names == ["sensebind_node", "sensebind_player", "sensebind_recorder"]
    assert list(install.glob("sensebind_msgs/lib/python3*/site-packages/sensebind_msgs/srv"))
