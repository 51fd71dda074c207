# SPDX-License-Identifier: Apache-2.0
"""Publishing /diagnostics and ~/status."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from sensebind_ros.counts import EMITTED, PUSHED
from sensebind_ros.interface import DIAGNOSTICS, STATUS
from sensebind_ros.outputs import fill_stamp, our_messages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rclpy.node import Node

    from sensebind_ros.findings import Finding, StreamState

_DEPTH = 10


class Diagnostics:
    """Tells how the node does; also while it is not active."""

    def __init__(self, node: Node) -> None:
        """Create the publishers."""
        self._node = node
        self._msgs = our_messages()
        self._statuses = node.create_publisher(DiagnosticArray, DIAGNOSTICS.name, _DEPTH)
        self._streams = None
        if self._msgs is not None:
            self._streams = node.create_publisher(self._msgs.StreamStatus, STATUS.name, _DEPTH)

    def publish(self, findings: Sequence[Finding]) -> None:
        """Publish a status for each finding."""
        message = DiagnosticArray()
        fill_stamp(message.header.stamp, self._now_ns())
        name = self._node.get_fully_qualified_name().lstrip("/")
        message.status = [_status(name, finding) for finding in findings]
        self._statuses.publish(message)

    def publish_streams(
        self, states: Sequence[StreamState], encoders: Mapping[str, tuple[str, str]]
    ) -> None:
        """Publish what became of each stream's samples and windows.

        Args:
            states: of the streams.
            encoders: modality and encoder_id of each stream, by its name.
        """
        if self._msgs is None or self._streams is None:
            return
        for state in states:
            message = self._msgs.StreamStatus()
            fill_stamp(message.header.stamp, self._now_ns())
            message.modality, message.encoder_id = encoders[state.name]
            _fill_status(message, state)
            self._streams.publish(message)

    def _now_ns(self) -> int:
        now_ns: int = self._node.get_clock().now().nanoseconds
        return now_ns


def _status(node: str, finding: Finding) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=bytes([finding.level]),
        name=f"{node}: {finding.name}",
        message=finding.message,
        hardware_id=node,
        values=[KeyValue(key=key, value=value) for key, value in finding.values.items()],
    )


def _fill_status(message: Any, state: StreamState) -> None:  # noqa: ANN401
    others = {c: n for c, n in sorted(state.counts.items()) if c not in (PUSHED, EMITTED)}
    message.stream = state.name
    message.pushed, message.emitted = state.counts[PUSHED], state.counts[EMITTED]
    message.causes = list(others)
    message.counts = array("Q", others.values())
    if state.windows is not None:
        times = state.windows.times
        message.closing_delay_s = (times.closing_delay_ns or 0) / 1e9
        message.service_time_s = times.service_ns / 1e9
