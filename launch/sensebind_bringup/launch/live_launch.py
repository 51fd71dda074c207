# SPDX-License-Identifier: Apache-2.0
"""The node on a robot's topics: ros2 launch sensebind_bringup live_launch.py --show-args."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind_bringup.launching import describe
from sensebind_bringup.plans import LIVE

if TYPE_CHECKING:
    from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """See sensebind_bringup.plans.LIVE."""
    return describe(LIVE)
