# SPDX-License-Identifier: Apache-2.0
"""Event handlers of the launch_ros package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch import Action

    from launch_ros.actions import LifecycleNode


class OnStateTransition:
    """Launches actions when a lifecycle node went from one state to another."""

    def __init__(
        self,
        *,
        entities: Sequence[Action],
        target_lifecycle_node: LifecycleNode | None = None,
        start_state: str | None = None,
        goal_state: str | None = None,
    ) -> None:
        self.entities = list(entities)
        self.target_lifecycle_node = target_lifecycle_node
        self.start_state = start_state
        self.goal_state = goal_state
