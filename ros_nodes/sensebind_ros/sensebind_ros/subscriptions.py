# SPDX-License-Identifier: Apache-2.0
"""How topics are subscribed to: raw messages, queues sized in seconds, every event counted."""

from __future__ import annotations

import math
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription

from sensebind.errors import InputError
from sensebind.types import Modality
from sensebind_ros.plain_cdr import is_plain, plain_cdr

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

__all__ = [
    "SubscriptionEventCallbacks",
    "UnsupportedEventTypeError",
    "describing_qos",
    "event_counters",
    "message_class",
    "queue_depth",
    "sensor_qos",
    "take_plain",
]

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rclpy.node import Node

    from sensebind_ros.configs import TopicConfig
    from sensebind_ros.source import Topic

    Take = Callable[[bytes], None]

_USUAL_HZ = {Modality.IMU: 1000.0, Modality.AUDIO: 100.0}
_USUAL_QUEUE_S = {Modality.IMU: 2.0, Modality.AUDIO: 2.0}
_CAMERA_HZ, _CAMERA_QUEUE_S = 30.0, 0.5
_MOST_WAITING = 100_000


def message_class(message_type: str) -> Any:  # noqa: ANN401 - generated classes
    """The class of a message type, "sensor_msgs/msg/Imu".

    Raises:
        InputError: if its package is not installed where the node runs.
    """
    package, _, name = message_type.partition("/msg/")
    try:
        return getattr(import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError, ValueError):
        raise InputError(
            f"messages of type {message_type!r} cannot be subscribed to: this Python has no "
            f"{package}.msg.{name}; install the package {package!r} (apt: "
            f"ros-$ROS_DISTRO-{package.replace('_', '-')}) and source its setup file before the "
            "node starts"
        ) from None


def queue_depth(config: TopicConfig, modality: Modality) -> int:
    """Messages that may wait in the middleware."""
    rate_hz = config.message_rate_hz or _USUAL_HZ.get(modality, _CAMERA_HZ)
    queue_s = config.queue_s or _USUAL_QUEUE_S.get(modality, _CAMERA_QUEUE_S)
    return min(max(math.ceil(rate_hz * queue_s), 1), _MOST_WAITING)


def sensor_qos(config: TopicConfig, modality: Modality) -> QoSProfile:
    """The quality of service that is asked of a stream's publishers."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=queue_depth(config, modality),
        reliability=ReliabilityPolicy[config.reliability.upper()],
        durability=DurabilityPolicy.VOLATILE,
    )


def describing_qos(node: Node, name: str) -> QoSProfile:
    """That of a topic that describes others: what was published before, where it is kept."""
    publishers = node.get_publishers_info_by_topic(name)
    kept = bool(publishers) and all(
        each.qos_profile.durability is DurabilityPolicy.TRANSIENT_LOCAL for each in publishers
    )
    reliable = bool(publishers) and all(
        each.qos_profile.reliability is ReliabilityPolicy.RELIABLE for each in publishers
    )
    return QoSProfile(
        depth=1,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if kept else DurabilityPolicy.VOLATILE,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
    )


def take_plain(kind: type, topic: Topic, take: Take) -> Callable[..., None]:
    """A callback of a raw subscription that hands over plain CDR, whatever comes.

    Where rclpy tells it (from Jazzy on), it also takes the messages' numbers.
    """

    def take_raw(data: bytes) -> None:
        take(data if is_plain(data) else plain_cdr(deserialize_message(data, kind)))

    def take_numbered(data: bytes, info: Mapping[str, Any]) -> None:
        number, publisher = info["publication_sequence_number"], info.get("publisher_gid")
        if number is not None and (publisher is not None or topic.publishers <= 1):
            topic.note_number(b"" if publisher is None else bytes(publisher["data"]), number)
        take_raw(data)

    return take_numbered if hasattr(Subscription, "CallbackType") else take_raw


def event_counters(topic: Topic) -> dict[str, Callable[[Any], None]]:
    """What counts the events of a topic, by the name rclpy has for them."""

    def incompatible(event: Any) -> None:  # noqa: ANN401
        topic.incompatible += event.total_count_change

    def liveliness(event: Any) -> None:  # noqa: ANN401
        topic.liveliness += abs(event.alive_count_change) + abs(event.not_alive_count_change)

    def lost(event: Any) -> None:  # noqa: ANN401
        topic.lost += event.total_count_change

    def matched(event: Any) -> None:  # noqa: ANN401
        came = event.total_count_change
        topic.changes += came + (came - event.current_count_change)

    return {
        "liveliness": liveliness,
        "matched": matched,
        "incompatible_qos": incompatible,
        "message_lost": lost,
    }
