# SPDX-License-Identifier: Apache-2.0
"""Stands in for ROS 2's launch package: the names that are used here, and a record of the calls.

It proves that launch files use names and arguments that exist, as they are listed here; what the
real package makes of them, it does not prove.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Action:
    """Something a launch description holds."""


class LaunchContext:
    """Values of the launch arguments while a description is launched."""

    def __init__(self) -> None:
        self.launch_configurations: dict[str, str] = {}


class LaunchDescription:
    """Actions in order."""

    def __init__(self, entities: Sequence[Action] = ()) -> None:
        self.entities = list(entities)
