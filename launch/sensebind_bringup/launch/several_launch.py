# SPDX-License-Identifier: Apache-2.0
"""Several streams: ros2 launch sensebind_bringup several_launch.py streams:=imu,audio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind_bringup.launching import describe
from sensebind_bringup.plans import SEVERAL

if TYPE_CHECKING:
    from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """See sensebind_bringup.plans.SEVERAL."""
    return describe(SEVERAL)
