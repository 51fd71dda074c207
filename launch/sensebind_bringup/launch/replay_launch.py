# SPDX-License-Identifier: Apache-2.0
"""The node on a recording: ros2 launch sensebind_bringup replay_launch.py bag:=drive.mcap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind_bringup.launching import describe
from sensebind_bringup.plans import REPLAY

if TYPE_CHECKING:
    from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """See sensebind_bringup.plans.REPLAY."""
    return describe(REPLAY)
