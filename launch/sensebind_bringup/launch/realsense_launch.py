# SPDX-License-Identifier: Apache-2.0
"""A RealSense, a microphone and the node: ros2 launch sensebind_bringup realsense_launch.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind_bringup.launching import describe
from sensebind_bringup.plans import REALSENSE

if TYPE_CHECKING:
    from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """See sensebind_bringup.plans.REALSENSE."""
    return describe(REALSENSE)
