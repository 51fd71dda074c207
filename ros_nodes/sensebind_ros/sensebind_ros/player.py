# SPDX-License-Identifier: Apache-2.0
"""Play a recording through ROS, with its own clock: python -m sensebind_ros.player RECORDING.

Any recording that `sensebind replay` reads can be played: .mcap, .db3, ROS 1 .bag, a bag folder, or
plain sensor files.
"""

from __future__ import annotations

import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import rclpy
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.time import Time
from rclpy.utilities import remove_ros_args
from rosgraph_msgs.msg import Clock
from std_srvs.srv import SetBool

from sensebind.errors import InputError, SenseBindError
from sensebind.grid import NS_PER_S, nanoseconds
from sensebind.sources.bags.containers import LATEST_NS, Span
from sensebind_ros.outputs import LATCHED
from sensebind_ros.pacing import Pace
from sensebind_ros.playback import open_playback
from sensebind_ros.subscriptions import message_class

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from rclpy.node import Node

    from sensebind_ros.playback import Playback, PlayedTopic

DEPTHS = {"sensor_msgs/msg/Image": 10, "sensor_msgs/msg/CompressedImage": 30}
"""Messages that are kept for subscribers that fall behind, where 1000 would fill the memory."""
_LOOK_S = 0.02


class Player:
    """Publishes the messages of a recording when they are due."""

    def __init__(self, node: Node, playback: Playback, options: Namespace, pace: Pace) -> None:
        """Create the publishers; nothing is played.

        Args:
            node: publishes.
            playback: what is played.
            options: those of the command line.
            pace: when it is played.
        """
        self._node = node
        self._playback = playback
        self._pace = pace
        self._stopping = Event()
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
        left = longest_s
        while left > 0 and (missing := self._without_subscriber()):
            if self._stopping.wait(_LOOK_S):
                return
            left -= _LOOK_S
            if left <= 0:
                listed = ", ".join(missing)
                self._node.get_logger().warning(f"nobody subscribes to {listed} yet; playing")

    def play(self) -> int:
        """Play to the end, again and again if asked to; how many messages were published."""
        published = self._play_once()
        while self._loop and published and not self._stopping.is_set():
            self._node.get_logger().info("begins anew; time goes back")
            published += self._play_once()
        for publisher in self._publishers.values():
            publisher.wait_for_all_acked(Duration(seconds=1))
        return published

    def stop(self) -> None:
        """End playing, at once."""
        self._stopping.set()
        self._pace.stop()

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Play a recording; the exit code: 0 done, 1 failed, 2 bad usage."""
    words = list(sys.argv if arguments is None else ["player", *arguments])
    options = _parser().parse_args(remove_ros_args(words)[1:])
    rclpy.init(args=words, signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node("sensebind_player")
    try:
        with open_playback(options.recording, is_installed, options.topic) as playback:
            player = Player(node, playback, options, Pace(options.rate, paused=options.paused))
            return _run(node, player, options.wait)
    except SenseBindError as error:
        node.get_logger().error(str(error))
        return 1
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def _run(node: Node, player: Player, wait_s: float) -> int:
    """Play while the node answers its services."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    for number in (signal.SIGINT, signal.SIGTERM):
        # In a thread, as the main one may hold the lock that stopping needs.
        signal.signal(number, lambda *_: Thread(target=player.stop).start())
    spinning = Thread(target=_spin, args=(executor,), name="spin", daemon=True)
    spinning.start()
    try:
        player.wait_for_subscribers(wait_s)
        node.get_logger().info(f"{player.play()} messages were played")
    finally:
        executor.shutdown()
        spinning.join()
    return 0


def _spin(executor: SingleThreadedExecutor) -> None:
    with suppress(ExternalShutdownException):
        executor.spin()


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="sensebind_player", description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("recording", type=Path, help=".mcap, .db3, .bag, a bag folder, or sensor files")
    add("--rate", type=_at_least_0, default=1.0, help="times real time; 0: as fast as possible")
    add("--loop", action="store_true", help="begin anew at the end; time goes back then")
    add("--start", type=_at_least_0, default=0.0, metavar="S", help="seconds to leave out")
    add("--duration", type=_at_least_0, metavar="S", help="seconds of the recording to play")
    add("--paused", action="store_true", help="wait for the service ~/pause (std_srvs/SetBool)")
    add("--topic", action="append", default=[], help="play this topic only; may be repeated")
    add("--clock-hz", type=_at_least_0, default=100.0, help="of /clock; 0 for no /clock")
    add("--wait", type=_at_least_0, default=5.0, metavar="S",
        help="wait at most so long until every sense has a subscriber")  # fmt: skip
    return parser


def _at_least_0(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value < float("inf"):
        raise ArgumentTypeError(f"it is {text!r}, expected a number from 0 on")
    return value


if __name__ == "__main__":
    sys.exit(main())
