# SPDX-License-Identifier: Apache-2.0
"""Event handlers of the launch package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch import Action


class OnProcessExit:
    """Launches actions when a process has ended."""

    def __init__(self, *, target_action: Action, on_exit: Sequence[Action]) -> None:
        self.target_action = target_action
        self.on_exit = list(on_exit)
