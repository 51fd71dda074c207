# SPDX-License-Identifier: Apache-2.0
"""Lifecycle events of the launch_ros package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch import Action


class ChangeState:
    """Has a lifecycle node take a transition."""

    def __init__(
        self, *, lifecycle_node_matcher: Callable[[Action], bool], transition_id: int
    ) -> None:
        self.lifecycle_node_matcher = lifecycle_node_matcher
        self.transition_id = transition_id
