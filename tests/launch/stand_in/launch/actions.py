# SPDX-License-Identifier: Apache-2.0
"""Actions of the launch package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from launch import LaunchContext
    from launch.event_handlers import OnProcessExit
    from launch.events import Shutdown
    from launch_ros.event_handlers import OnStateTransition
    from launch_ros.events.lifecycle import ChangeState


class DeclareLaunchArgument(Action):
    """Declares an argument; it must be given if it has no default."""

    def __init__(
        self, name: str, *, default_value: str | None = None, description: str | None = None
    ) -> None:
        self.name = name
        self.default_value = default_value
        self.description = description


class OpaqueFunction(Action):
    """Calls a function when it is launched, and launches what that returns."""

    def __init__(self, *, function: Callable[[LaunchContext], Sequence[Action] | None]) -> None:
        self.function = function


class SetEnvironmentVariable(Action):
    """Sets a variable for what is launched after it."""

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.value = value


class EmitEvent(Action):
    """Emits an event."""

    def __init__(self, *, event: ChangeState | Shutdown) -> None:
        self.event = event


class RegisterEventHandler(Action):
    """Reacts to events from now on."""

    def __init__(self, event_handler: OnProcessExit | OnStateTransition) -> None:
        self.event_handler = event_handler
