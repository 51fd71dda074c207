# SPDX-License-Identifier: Apache-2.0
"""From plans to actions of the launch package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown, matches_action
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch import Action, LaunchContext

    from sensebind_bringup.plan import Plan, Process
    from sensebind_bringup.plans import Bringup


def describe(bringup: Bringup) -> LaunchDescription:
    """The launch description of a plan; its arguments are looked at when it is launched."""
    declared: list[Action] = [
        DeclareLaunchArgument(a.name, default_value=a.default, description=a.description)
        for a in bringup.arguments
    ]

    def launched(context: LaunchContext) -> list[Action]:
        given = {a.name: context.launch_configurations[a.name] for a in bringup.arguments}
        return actions(bringup.plan(given))

    return LaunchDescription([*declared, OpaqueFunction(function=launched)])


def actions(plan: Plan) -> list[Action]:
    """What launches a plan: processes start when the one they come after is active."""
    nodes = {process.name: _node(process, plan.python) for process in plan.processes}
    brought_up = [process for process in plan.processes if process.lifecycle]
    lifecycle = [nodes[process.name] for process in brought_up]
    listed: list[Action] = [SetEnvironmentVariable(*item) for item in plan.environment.items()]
    for process in brought_up:
        waiting = [nodes[each.name] for each in plan.processes if each.after == process.name]
        listed += _brought_up(nodes[process.name], waiting)
    for process in plan.processes:
        if process.ends_run:
            listed += _ends_run(nodes[process.name], lifecycle)
    listed += [nodes[process.name] for process in plan.processes if not process.after]
    return listed + [_transition(node, Transition.TRANSITION_CONFIGURE) for node in lifecycle]


def _node(process: Process, python: str) -> Node:
    """The action that starts a process; its module is run by `python`, not by the system's."""
    kind = LifecycleNode if process.lifecycle else Node
    module = ["-m", process.module] if process.module else []
    return kind(
        package=process.package or None,
        executable=process.executable or python,
        name=process.name,
        namespace=process.namespace,
        arguments=[*module, *process.arguments],
        ros_arguments=process.ros_arguments,
        output="screen",
    )


def _brought_up(node: Node, waiting: list[Node]) -> list[Action]:
    """Activate a node once it is configured, then start what waits for it."""
    activate = _transition(node, Transition.TRANSITION_ACTIVATE)
    return [
        _when(node, "configuring", "inactive", [activate]),
        _when(node, "activating", "active", waiting),
    ]


def _ends_run(node: Node, lifecycle: list[Node]) -> list[Action]:
    """When a process has ended, let lifecycle nodes finish what they received; then end all.

    A lifecycle node that ended before cannot be asked to finish, so its end is that of all too.
    """
    shutdown = EmitEvent(event=Shutdown(reason="the run is over"))
    finish = [_transition(each, Transition.TRANSITION_DEACTIVATE) for each in lifecycle]
    exit_handler = OnProcessExit(target_action=node, on_exit=finish or [shutdown])
    finished = [_when(each, "deactivating", "inactive", [shutdown]) for each in lifecycle]
    gone = [OnProcessExit(target_action=each, on_exit=[shutdown]) for each in lifecycle]
    return [*map(RegisterEventHandler, (exit_handler, *gone)), *finished]


def _when(node: Node, start: str, goal: str, entities: Sequence[Action]) -> RegisterEventHandler:
    """Launch something when a lifecycle node went from one state to another."""
    assert isinstance(node, LifecycleNode)
    return RegisterEventHandler(
        OnStateTransition(
            target_lifecycle_node=node,
            start_state=start,
            goal_state=goal,
            entities=entities,
        )
    )


def _transition(node: Node, transition_id: int) -> EmitEvent:
    matches = matches_action(node)
    return EmitEvent(event=ChangeState(lifecycle_node_matcher=matches, transition_id=transition_id))
