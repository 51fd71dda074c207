# SPDX-License-Identifier: Apache-2.0
"""Publishing the messages of a recording when they are due."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rclpy.duration import Duration
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from std_srvs.srv import SetBool

from sensebind.errors import InputError
from sensebind.grid import NS_PER_S, nanoseconds
from sensebind.sources.bags.containers import LATEST_NS, Span
from sensebind_ros.outputs import LATCHED
from sensebind_ros.subscriptions import message_class

if TYPE_CHECKING:
    from argparse import Namespace

    from rclpy.node import Node

    from sensebind_ros.pacing import Pace
    from sensebind_ros.playback import Playback, PlayedTopic

DEPTHS = {"sensor_msgs/msg/Image": 10, "sensor_msgs/msg/CompressedImage": 30}
"""Messages that are kept for subscribers that fall behind, where 1000 would fill the memory."""
_LOOK_S = 0.02
_ACKNOWLEDGED_S = 1.0
"""How long subscribers may take at the end to have what was published to them."""


class Player:
    """Publishes the messages of a recording when they are due."""

    def __init__(self, node: Node, playback: Playback, options: Namespace, pace: Pace) -> None:
        """Create the publishers; nothing is played.

        Args:
            node: publishes.
            playback: what is played.
            options: those of the command line.
            pace: when it is played, and whether it still is.
        """
        self._node = node
        self._playback = playback
        self._pace = pace
        self._publishers = {
            topic.name: node.create_publisher(
                message_class(topic.message_type), topic.name, topic_qos(topic)
            )
            for topic in playback.topics
        }
        self._senses = [topic.name for topic in playback.topics if topic.is_sense]
        self._span = part(playback.begin_ns, options.start, options.duration)
        self._loop = bool(options.loop)
        self._tick_ns = round(NS_PER_S / options.clock_hz) if options.clock_hz else 0
        self._clock = node.create_publisher(Clock, "/clock", 10) if self._tick_ns else None
        node.create_service(SetBool, "~/pause", self._on_pause)
        for topic in playback.topics:
            node.get_logger().info(f"{topic.name} [{topic.message_type}] {topic.note}".rstrip())
        for note in playback.report.notes:
            node.get_logger().warning(note)

    def wait_for_subscribers(self, longest_s: float) -> None:
        """Wait until every sense has a subscriber, so that the first message is not lost."""
        until_s = time.monotonic() + longest_s
        while longest_s and (missing := self._without_subscriber()) and not self._pace.stopped():
            if time.monotonic() >= until_s:
                listed = ", ".join(missing)
                self._node.get_logger().warning(f"nobody subscribes to {listed} yet; playing")
                return
            time.sleep(_LOOK_S)

    def play(self) -> int:
        """Play to the end, again and again if asked to; how many messages were published."""
        published = self._play_once()
        while self._loop and published and not self._pace.stopped():
            self._node.get_logger().info("begins anew; time goes back")
            published += self._play_once()
        until_s = time.monotonic() + _ACKNOWLEDGED_S
        for publisher in self._publishers.values():
            publisher.wait_for_all_acked(Duration(seconds=max(until_s - time.monotonic(), 0.0)))
        return published

    def _play_once(self) -> int:
        published, tick_ns = 0, None
        for message in self._playback.messages(self._span):
            if tick_ns is None:
                tick_ns = message.time_ns
                self._pace.begin(message.time_ns)
            while self._tick_ns and tick_ns <= message.time_ns:
                if not self._pace.wait(tick_ns):
                    return published
                self._tell_time(tick_ns)
                tick_ns += self._tick_ns
            if not self._pace.wait(message.time_ns):
                return published
            self._publishers[message.topic].publish(message.data)
            published += 1
        return published

    def _tell_time(self, time_ns: int) -> None:
        if self._clock is not None:
            self._clock.publish(Clock(clock=Time(nanoseconds=time_ns).to_msg()))

    def _without_subscriber(self) -> list[str]:
        return [n for n in self._senses if not self._publishers[n].get_subscription_count()]

    def _on_pause(self, request: Any, response: Any) -> Any:  # noqa: ANN401 - generated classes
        self._pace.pause(request.data)
        response.success = True
        response.message = "paused" if request.data else "playing"
        return response


def topic_qos(topic: PlayedTopic) -> QoSProfile:
    """Reliable, which subscribers of both kinds take, and kept for late ones where it was."""
    if topic.latched:
        return LATCHED
    depth = DEPTHS.get(topic.message_type, 1000)
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE)


def part(begin_ns: int, start_s: float, duration_s: float | None) -> Span:
    """The part of a recording that is played."""
    first_ns = begin_ns + nanoseconds(start_s)
    return Span(first_ns, LATEST_NS if duration_s is None else first_ns + nanoseconds(duration_s))


def is_installed(message_type: str) -> bool:
    """Whether messages of a type can be published."""
    try:
        message_class(message_type)
    except InputError:
        return False
    return True
