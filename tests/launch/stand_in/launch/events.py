# SPDX-License-Identifier: Apache-2.0
"""Events of the launch package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch import Action


class Shutdown:
    """Everything ends."""

    def __init__(self, *, reason: str = "reason not given") -> None:
        self.reason = reason


def matches_action(target_action: Action) -> Callable[[Action], bool]:
    """Tells whether an action is the one that is meant."""
    return lambda action: action is target_action
