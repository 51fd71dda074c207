# SPDX-License-Identifier: Apache-2.0
"""Each launch file against a recording stand-in for launch and launch_ros.

That proves that the files use names and arguments which exist, and what they ask for; what the real
packages make of it is tested where they are installed.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from sensebind_bringup.plan import PROFILE_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "launch/sensebind_bringup/launch").glob("*"))
STAND_IN = Path(__file__).parent / "stand_in"
CONFIGURE, ACTIVATE, DEACTIVATE = 1, 3, 4
"""As lifecycle_msgs/Transition numbers them."""


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stand-in takes the place of launch and launch_ros, for one test."""

    def ours() -> list[str]:
        heads = ("launch", "launch_ros", "lifecycle_msgs")
        names = [name for name in sys.modules if name.split(".")[0] in heads]
        return [*names, "sensebind_bringup.launching"]

    for name in (*PROFILE_VARIABLES, "ROS_DISTRO"):
        monkeypatch.delenv(name, raising=False)
    before = {name: sys.modules.pop(name) for name in ours() if name in sys.modules}
    monkeypatch.syspath_prepend(STAND_IN)
    transition = type(
        "Transition",
        (),
        {
            "TRANSITION_CONFIGURE": CONFIGURE,
            "TRANSITION_ACTIVATE": ACTIVATE,
            "TRANSITION_DEACTIVATE": DEACTIVATE,
        },
    )
    for name in ("lifecycle_msgs", "lifecycle_msgs.msg"):
        sys.modules[name] = ModuleType(name)
    vars(sys.modules["lifecycle_msgs.msg"])["Transition"] = transition
    yield
    for name in ours():
        sys.modules.pop(name, None)
    sys.modules.update(before)


def described(path: Path) -> Any:
    """The launch description of a file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


def launched(name: str, **given: str) -> list[Any]:
    """The actions of a launch file for some arguments."""
    from launch import LaunchContext

    description = described(ROOT / f"launch/sensebind_bringup/launch/{name}_launch.py")
    *declared, function = description.entities
    context = LaunchContext()
    for argument in declared:
        value = given.pop(argument.name, argument.default_value)
        if value is not None:
            context.launch_configurations[argument.name] = value
    assert not given, "these arguments are not declared"
    actions: list[Any] = function.function(context)
    return actions


def of_type(actions: list[Any], name: str) -> list[Any]:
    return [action for action in actions if type(action).__name__ == name]


def transitions(actions: list[Any]) -> list[int]:
    return [
        action.event.transition_id
        for action in actions
        if type(action).__name__ == "EmitEvent" and hasattr(action.event, "transition_id")
    ]


def test_there_is_one_file_for_each_plan() -> None:
    from sensebind_bringup.plans import BRINGUPS

    assert [path.name for path in FILES] == sorted(f"{name}_launch.py" for name in BRINGUPS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_argument_is_declared_and_described(path: Path) -> None:
    from sensebind_bringup.plans import BRINGUPS

    *declared, function = described(path).entities
    expected = BRINGUPS[path.stem.removesuffix("_launch")].arguments
    assert [each.name for each in declared] == [argument.name for argument in expected]
    assert all(each.description for each in declared)
    common = {"namespace", "use_sim_time", "params_file", "bundle", "backend", "log_level"}
    assert common | {"python", "autostart"} <= {each.name for each in declared}
    assert type(function).__name__ == "OpaqueFunction"


def test_the_node_is_brought_up_and_runs_by_the_interpreter_asked_for() -> None:
    actions = launched("live", python="/robot/bin/python", namespace="robot")
    [node] = of_type(actions, "LifecycleNode")
    assert (node.executable, node.package) == ("/robot/bin/python", None)
    assert node.arguments == ["-m", "sensebind_ros.node"]
    assert (node.name, node.namespace) == ("sensebind", "robot")
    variables = [each.name for each in of_type(actions, "SetEnvironmentVariable")]
    assert variables == list(PROFILE_VARIABLES)
    kinds = [type(action).__name__ for action in actions]
    assert kinds.index("SetEnvironmentVariable") < kinds.index("LifecycleNode")
    assert kinds.index("RegisterEventHandler") < kinds.index("LifecycleNode")
    assert transitions(actions) == [CONFIGURE]
    configured = next(
        each.event_handler
        for each in of_type(actions, "RegisterEventHandler")
        if each.event_handler.goal_state == "inactive"
    )
    assert configured.target_lifecycle_node is node
    assert configured.start_state == "configuring"
    assert transitions(configured.entities) == [ACTIVATE]
    assert configured.entities[0].event.lifecycle_node_matcher(node)


def test_without_autostart_nothing_is_asked_of_the_node() -> None:
    actions = launched("live", autostart="false")
    assert len(of_type(actions, "Node")) == 1
    assert not of_type(actions, "RegisterEventHandler")
    assert not transitions(actions)


def test_a_replay_plays_when_the_node_is_active_and_ends_when_all_is_encoded() -> None:
    actions = launched("replay", bag="/", out="e.mcap")
    [node] = of_type(actions, "LifecycleNode")
    [recorder] = of_type(actions, "Node")
    assert recorder.arguments[:2] == ["-m", "sensebind_ros.recorder"]
    handlers = [each.event_handler for each in of_type(actions, "RegisterEventHandler")]
    [active] = [h for h in handlers if getattr(h, "goal_state", "") == "active"]
    [player] = active.entities
    assert player.arguments[:3] == ["-m", "sensebind_ros.player", "/"]
    ended, gone = (h for h in handlers if type(h).__name__ == "OnProcessExit")
    assert ended.target_action is player
    assert transitions(ended.on_exit) == [DEACTIVATE]
    assert gone.target_action is node, "which cannot be deactivated any more"
    assert [type(each.event).__name__ for each in gone.on_exit] == ["Shutdown"]
    [finished] = [h for h in handlers if getattr(h, "start_state", "") == "deactivating"]
    assert finished.target_lifecycle_node is node
    assert [type(each.event).__name__ for each in finished.entities] == ["Shutdown"]


def test_a_replay_without_autostart_ends_with_the_recording() -> None:
    actions = launched("replay", bag="/", autostart="false")
    [ended] = [each.event_handler for each in of_type(actions, "RegisterEventHandler")]
    assert [type(each.event).__name__ for each in ended.on_exit] == ["Shutdown"]


def test_drivers_are_programs_of_their_packages() -> None:
    camera, microphone = of_type(launched("realsense"), "Node")
    assert (camera.package, camera.executable) == ("realsense2_camera", "realsense2_camera_node")
    assert (microphone.package, microphone.executable) == ("audio_capture", "audio_capture_node")
    assert camera.arguments == []


def test_several_streams() -> None:
    [node] = of_type(launched("several", streams="imu,thermal"), "LifecycleNode")
    assert 'streams:=["imu", "thermal"]' in node.ros_arguments


def test_a_name_that_launch_does_not_have_is_found_out(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong_launch.py"
    wrong.write_text("from launch.actions import DeclareLaunchArguments\n")
    with pytest.raises(ImportError, match="DeclareLaunchArguments"):
        described(wrong)
