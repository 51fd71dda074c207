# SPDX-License-Identifier: Apache-2.0
"""ROS time as the reference clock of a run: header stamps need no mapping then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rclpy.clock import JumpThreshold
from rclpy.duration import Duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from rclpy.clock import Clock, JumpHandle, TimeJump


class RosTime:
    """A node's clock: the machine's, or that of /clock with `use_sim_time`.

    Attributes:
        jumps: how often it was set back, or changed between the two.
    """

    def __init__(self, clock: Clock, tell: Callable[[str], None]) -> None:
        """Watch a clock; `tell` is told of jumps."""
        self.jumps = 0
        self._clock = clock
        self._tell = tell
        self._simulated: bool = clock.ros_time_is_active
        threshold = JumpThreshold(
            min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True
        )
        self._handle: JumpHandle = clock.create_jump_callback(threshold, post_callback=self._jumped)

    def now_ns(self) -> int:
        """See `sensebind.clock.ReferenceClock.now_ns`; it may go back, which resets the streams."""
        if not self._simulated:
            return time.time_ns()  # what the clock would say, without its objects
        now_ns: int = self._clock.now().nanoseconds
        return now_ns

    def close(self) -> None:
        """Watch no more."""
        self._handle.unregister()

    def _jumped(self, jump: TimeJump) -> None:
        self.jumps += 1
        self._simulated = self._clock.ros_time_is_active
        self._tell(
            f"time jumped by {jump.delta.nanoseconds / 1e9:.3f} s; streams begin anew with the "
            "first stamp that is set back"
        )
