# SPDX-License-Identifier: Apache-2.0
"""Receiving messages in a thread of their own.

For every message, an executor of rclpy looks at everything that its node has; for a node with
services, timers and events that takes longer than the message. So the subscriptions belong to a
hidden node beside the lifecycle node, whose executor looks at nothing else, and their events, which
are rare, to another one, which is looked at now and then. Nor do slow services or transitions hold
up messages.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter

from sensebind.closing import Closing
from sensebind_ros.subscriptions import (
    SubscriptionEventCallbacks,
    UnsupportedEventTypeError,
    event_counters,
    message_class,
    take_plain,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rclpy.qos import QoSProfile
    from rclpy.subscription import Subscription

    from sensebind_ros.source import Topic
    from sensebind_ros.subscriptions import Take


_DRAIN_S = 2.0
"""How long messages that wait in the queues may take at the end; 2000 of an IMU take a fifth."""
_IDLE_TURNS = 3
"""Turns without a message until none waits; one may be that which woke the executor."""


@dataclass(slots=True)
class Subscribed:
    """A topic's subscription and what counts its events."""

    topic: Topic
    subscription: Subscription
    events: list[Any]


class Inputs(Closing):
    """Subscriptions whose callbacks are called in one thread of their own."""

    def __init__(self, node: Node) -> None:
        """Start the thread; `node` is the one that the subscriptions are for."""
        self._node = node
        self._receiver, self._receiving = _hidden(node, "inputs")
        self._events, self._looking = _hidden(node, "events")
        self._subscribed: list[Subscribed] = []
        self._stopping = False
        self._thread = Thread(target=self._spin, name="inputs", daemon=True)
        self._thread.start()

    def subscribe(self, topic: Topic, qos: QoSProfile, take: Take) -> Subscribed:
        """Subscribe to a topic whose type is known; `take` gets the bytes of plain CDR.

        Raises:
            InputError: if its type is not installed.
        """
        kind = message_class(topic.message_type)
        subscription = self._receiver.create_subscription(
            kind,
            self._node.resolve_topic_name(topic.name),
            take_plain(kind, topic, take),
            qos,
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
            raw=True,
        )
        subscribed = Subscribed(topic, subscription, self._event_handlers(topic, subscription))
        for handler in subscribed.events:
            self._events.add_waitable(handler)
        self._subscribed.append(subscribed)
        return subscribed

    def unsubscribe(self, subscribed: Subscribed) -> None:
        """Receive no more of a topic."""
        self._subscribed.remove(subscribed)
        for handler in subscribed.events:
            self._events.remove_waitable(handler)
            handler.destroy()
        self._receiver.destroy_subscription(subscribed.subscription)

    def count_events(self) -> None:
        """Count the events of all subscriptions since the last look."""
        for _ in range(sum(len(each.events) for each in self._subscribed)):
            self._looking.spin_once(timeout_sec=0)

    def close(self) -> None:
        """Take what waits in the queues, and end the thread and all subscriptions."""
        self._stopping = True
        self._receiving.create_task(lambda: None)  # wakes it
        self._thread.join()
        if self._node.context.ok():  # else there is nothing to wait on
            self.count_events()
        for each in list(self._subscribed):
            self.unsubscribe(each)
        for executor in (self._receiving, self._looking):
            executor.shutdown()
        for node in (self._receiver, self._events):
            node.destroy_node()

    def _event_handlers(self, topic: Topic, subscription: Subscription) -> list[Any]:
        """What counts the events of a subscription, of those that the middleware has."""
        counters = event_counters(topic).items()
        return [
            handler
            for name, count in counters
            for handler in self._handlers_of(name, count, topic, subscription)
        ]

    def _handlers_of(
        self, name: str, count: Callable[[Any], None], topic: Topic, subscription: Subscription
    ) -> list[Any]:
        try:
            counting = SubscriptionEventCallbacks(**{name: count}, use_default_callbacks=False)
            handlers: list[Any] = counting.create_event_handlers(
                self._events.default_callback_group, subscription.handle, topic.name
            )
        except (TypeError, UnsupportedEventTypeError):  # the former is Humble's
            self._node.get_logger().info(f"{topic.name}: the middleware tells no {name}")
            return []
        return handlers

    def _spin(self) -> None:
        """The thread."""
        while not self._stopping and self._node.context.ok():
            self._spin_once(None)
        self._drain()

    def _drain(self) -> None:
        """Take what waits, for a while: publishers may go on faster than it is taken."""
        until_s, idle = time.monotonic() + _DRAIN_S, 0
        while idle < _IDLE_TURNS and self._node.context.ok():
            if time.monotonic() > until_s:
                self._node.get_logger().warning(
                    f"messages still came {_DRAIN_S:g} s after the end; they are left out"
                )
                return
            before = self._received()
            self._spin_once(0.0)
            idle = 0 if self._received() > before else idle + 1

    def _received(self) -> int:
        return sum(each.topic.received for each in self._subscribed)

    def _spin_once(self, timeout_s: float | None) -> None:
        try:
            self._receiving.spin_once(timeout_s)
        except Exception as error:  # noqa: BLE001 - of the middleware, perhaps at its end
            if self._node.context.ok():
                self._node.get_logger().error(f"while messages were received: {error}")


def _hidden(node: Node, name: str) -> tuple[Node, SingleThreadedExecutor]:
    """A node beside another one, and its executor."""
    beside = Node(
        f"_{node.get_name()}_{name}",
        namespace=node.get_namespace(),
        context=node.context,
        use_global_arguments=False,  # topics are resolved by `node` already
        start_parameter_services=False,
        enable_rosout=False,
        parameter_overrides=[Parameter("start_type_description_service", value=False)],
    )
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(beside)
    return beside, executor
