# SPDX-License-Identifier: Apache-2.0
"""Plans: which processes, with which words, in which order, in which environment."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import pytest

from sensebind_bringup.arguments import default_python, parse
from sensebind_bringup.plan import (
    PROFILE_VARIABLES,
    Plan,
    PlanError,
    Process,
    command,
    shared_file,
    with_profile,
)
from sensebind_bringup.plans import BRINGUPS, LIVE, REALSENSE, REPLAY, SEVERAL
from sensebind_bringup.programs import environment_of, find_program

PYTHON = "/opt/robot/bin/python"


def test_live_runs_the_node_by_the_users_interpreter() -> None:
    plan = LIVE.plan(
        {
            "python": PYTHON,
            "namespace": "/robot1/",
            "bundle": "demo",
            "prompts": 'a "red" cat,a dog',
            "log_level": "debug",
            "remap": "imu:=/imu/data image:=/camera/image",
        }
    )
    [node] = plan.processes
    assert node.node == "/robot1/sensebind"
    assert node.lifecycle
    words = command(node, plan.python)
    assert words[:3] == [PYTHON, "-m", "sensebind_ros.node"]
    assert words[3:8] == ["--ros-args", "-r", "__node:=sensebind", "-r", "__ns:=/robot1"]
    pairs = set(pairwise(words))
    assert ("--log-level", "debug") in pairs
    assert ("--params-file", str(shared_file("config/live.yaml"))) in pairs
    assert ("-p", 'bundle:="demo"') in pairs
    assert ("-p", 'prompts:="a \\"red\\" cat,a dog"') in pairs
    assert ("-p", "use_sim_time:=false") in pairs
    assert ("-r", "imu:=/imu/data") in pairs
    assert ("-r", "image:=/camera/image") in pairs
    assert not any(word.startswith("backend") for word in words), "the file's is kept"


def test_a_node_without_namespace() -> None:
    [node] = LIVE.plan({}).processes
    assert node.node == "/sensebind"
    assert not any("__ns" in word for word in command(node, PYTHON))


def test_without_autostart_the_node_is_left_alone() -> None:
    [node] = LIVE.plan({"autostart": "false"}).processes
    assert not node.lifecycle


def test_a_replay_plays_when_the_node_is_active_and_ends_with_the_recording(
    tmp_path: Path,
) -> None:
    given = {"bag": str(tmp_path), "rate": "2", "duration": "5", "loop": "true", "paused": "true"}
    node, player = REPLAY.plan(given).processes
    assert node.parameters["use_sim_time"] is True
    assert player.after == node.name
    assert player.ends_run
    assert player.arguments == (
        str(tmp_path), "--rate", "2", "--start", "0", "--duration", "5", "--loop", "--paused",
    )  # fmt: skip


def test_a_replay_that_keeps_embeddings_listens_before_they_come(tmp_path: Path) -> None:
    given = {"bag": str(tmp_path), "out": "e.parquet", "namespace": "robot"}
    recorder, node, player = REPLAY.plan(given).processes
    assert recorder.arguments == ("--node", "/robot/sensebind", "--out", "e.parquet")
    assert (recorder.after, node.after, player.after) == ("", "", "sensebind")
    assert {each.namespace for each in (recorder, node, player)} == {"robot"}


def test_a_replay_without_autostart_plays_at_once(tmp_path: Path) -> None:
    _, player = REPLAY.plan({"bag": str(tmp_path), "autostart": "false"}).processes
    assert player.after == ""


def test_drivers_are_started_as_asked_for() -> None:
    node, camera, microphone = REALSENSE.plan({"namespace": "robot"}).processes
    assert (camera.package, camera.node) == ("realsense2_camera", "/robot/camera/camera")
    assert (microphone.package, microphone.node) == ("audio_capture", "/robot/microphone")
    assert node.params_files == (str(shared_file("config/realsense.yaml")),)
    assert len(REALSENSE.plan({"camera": "false", "microphone": "False"}).processes) == 1


def test_streams_are_put_together_from_files_of_their_own() -> None:
    [node] = SEVERAL.plan({"streams": "imu, rear"}).processes
    assert [Path(file).name for file in node.params_files] == [
        "common.yaml",
        "imu.yaml",
        "rear.yaml",
    ]
    assert node.parameters["streams"] == ["imu", "rear"]
    assert 'streams:=["imu", "rear"]' in node.ros_arguments


@pytest.mark.parametrize(
    ("bringup", "given", "message"),
    [
        ("live", {"bundel": "x"}, "no argument 'bundel'; there are: namespace"),
        ("live", {"autostart": "yes"}, "autostart is 'yes', expected true or false"),
        ("live", {"log_level": "loud"}, "log_level is 'loud', expected one of debug"),
        ("live", {"namespace": "1st"}, "namespace is '1st', expected letters"),
        ("live", {"remap": "imu=/imu"}, "remap has 'imu=/imu', expected from:=to"),
        ("live", {"params_file": "none.yaml"}, "params_file is 'none.yaml', which is not there"),
        ("replay", {}, "bag is missing: recording"),
        ("replay", {"bag": "none.mcap"}, "bag is 'none.mcap', which is not there"),
        ("replay", {"bag": "/", "rate": "fast"}, "rate is 'fast', expected a number from 0 on"),
        ("replay", {"bag": "/", "start": "-1"}, "start is '-1', expected a number from 0 on"),
        ("several", {"streams": " , "}, "streams is empty; name at least one"),
        ("several", {"streams": "taste"}, "streams has 'taste', expected some of audio"),
    ],
)
def test_what_cannot_be_used_is_named(bringup: str, given: dict[str, str], message: str) -> None:
    with pytest.raises(PlanError, match=message.replace("(", r"\(")):
        BRINGUPS[bringup].plan(given)


@pytest.mark.parametrize("words", [["bundle=demo"], [":=demo"], ["a:=1", "a:=2"]])
def test_words_that_are_no_arguments(words: list[str]) -> None:
    with pytest.raises(PlanError, match=r"expected name:=value|given twice"):
        parse(words)


def test_values_may_hold_the_separator() -> None:
    assert parse(["remap:=a:=b", "out:="]) == {"remap": "a:=b", "out": ""}


def test_plans_that_would_wait_forever() -> None:
    with pytest.raises(PlanError, match="player is to start after 'node', which is no lifecycle"):
        Plan(PYTHON, (Process("node", "n"), Process("player", "p", after="node")))
    with pytest.raises(PlanError, match="two processes are called 'a'"):
        Plan(PYTHON, (Process("a", "n"), Process("a", "m")))


def test_fast_dds_is_told_of_the_profile_by_both_names() -> None:
    profile = shared_file("config/fastdds.xml")
    assert with_profile(profile, {}) == dict.fromkeys(PROFILE_VARIABLES, str(profile))
    assert list(with_profile(profile, {"ROS_DISTRO": "kilted"})) == [PROFILE_VARIABLES[0]]
    assert len(with_profile(profile, {"ROS_DISTRO": "jazzy"})) == 2


@pytest.mark.parametrize("name", PROFILE_VARIABLES)
def test_the_users_own_profile_is_kept(name: str) -> None:
    assert with_profile(Path("ours.xml"), {name: "mine.xml"}) == {}


def test_files_are_found_where_the_package_is_installed(tmp_path: Path) -> None:
    folder = tmp_path / "share" / "sensebind_bringup" / "config"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("")
    present = {"AMENT_PREFIX_PATH": f"/nowhere:{tmp_path}"}
    assert shared_file("config/mine.yaml", present) == folder / "mine.yaml"
    with pytest.raises(PlanError, match=r"there is no config/your\.yaml in .*setup\.bash"):
        shared_file("config/your.yaml", present)


def test_programs_of_packages_are_found_without_ros2_run(tmp_path: Path) -> None:
    program = tmp_path / "lib" / "camera_package" / "camera_node"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    process = Process("camera", package="camera_package", executable="camera_node")
    present = {"AMENT_PREFIX_PATH": f"/nowhere:{tmp_path}"}
    with pytest.raises(PlanError, match=r"apt-get install ros-\$ROS_DISTRO-camera-package"):
        find_program(process, present)
    program.chmod(0o755)
    assert find_program(process, present) == [str(program)]
    assert command(process, PYTHON, find_program(process, present))[0] == str(program)


def test_another_interpreter_does_not_inherit_the_libraries_of_this_ones_wheels() -> None:
    plan = Plan(PYTHON, (), {"A": "1"})
    libraries = f"{sys.prefix}/lib:/opt/cuda/lib:{sys.prefix}/lib/python/ros.libs"
    present = {"LD_LIBRARY_PATH": libraries, "HOME": "/root"}
    assert environment_of(plan, present) == {**present, "A": "1"}
    present["_ROS_WHEELS_BOOTSTRAP_COMPLETE"] = "1"
    assert environment_of(plan, present) == {
        "LD_LIBRARY_PATH": "/opt/cuda/lib", "HOME": "/root", "A": "1",
    }  # fmt: skip


def test_the_active_environments_interpreter_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path))
    assert default_python() == sys.executable
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("")
    assert default_python() == str(tmp_path / "bin" / "python")
