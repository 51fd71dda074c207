# SPDX-License-Identifier: Apache-2.0
"""Subscribing to all that a node publishes of its embeddings."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from sensebind.errors import InputError, SenseBindError
from sensebind.flow.incidents import told
from sensebind_ros.outputs import LATCHED, our_messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rclpy.node import Node

    from sensebind_ros.keeping import Keeper

QUEUE = QoSProfile(
    depth=1000,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
)
_LOOK_S = 0.1
"""How often the recorder looks for streams that have come up."""
_DRAIN_S = 2.0
"""How long it may take what had come before the end."""
_KINDS = {"embedding": "Embedding", "zero_shot": "ZeroShot"}


class Recorder:
    """Subscribes to all that a node publishes of its embeddings.

    Attributes:
        refused: messages that could not be kept.
    """

    def __init__(self, node: Node, observed: str, keeper: Keeper) -> None:
        """Begin to look for the node's topics.

        Args:
            node: subscribes.
            observed: full name of the node whose embeddings are kept.
            keeper: writes them.

        Raises:
            SenseBindError: if sensebind_msgs is not installed.
        """
        self._messages = our_messages()
        if self._messages is None:
            raise SenseBindError(
                "sensebind_msgs is not installed; build it with: make ros, or colcon build, and "
                "source its setup file"
            )
        self.refused = 0
        self._node = node
        self._observed = observed
        self._keeper = keeper
        self._topics: set[str] = set()
        self._taken = 0
        info = self._messages.BundleInfo
        node.create_subscription(
            info, f"{observed}/bundle", self._counted(keeper.take_bundle), LATCHED
        )
        node.create_timer(_LOOK_S, self._look)

    def run(self, stopped: Callable[[], bool]) -> None:
        """Record until `stopped`, and then what had come before."""
        executor = SingleThreadedExecutor()
        executor.add_node(self._node)
        while not stopped():
            executor.spin_once(timeout_sec=_LOOK_S)
        until_s, taken = time.monotonic() + _DRAIN_S, -1
        # A round takes a message of each topic that has any; the node may go on for ever.
        while taken != self._taken and time.monotonic() < until_s:
            taken = self._taken
            for _ in range(len(self._topics) + 2):
                executor.spin_once(timeout_sec=0)
        executor.shutdown()

    def _counted(self, take: Callable[[Any], None]) -> Callable[[Any], None]:
        """As `take`, and counts what is taken; what cannot be used costs its message only."""

        def counted(message: Any) -> None:  # noqa: ANN401 - generated classes
            self._taken += 1
            try:
                take(message)
            except (InputError, ValueError) as error:
                self.refused += 1
                self._node.get_logger().error(
                    f"a message is not kept: {told(error)}", throttle_duration_sec=60.0
                )

        return counted

    def _look(self) -> None:
        """Subscribe to streams that are new."""
        for name, types in self._node.get_topic_names_and_types():
            parent, _, _ = name.rpartition("/")
            kind = parent.removeprefix(f"{self._observed}/")
            if kind in _KINDS and name not in self._topics:
                self._topics.add(name)
                self._subscribe(name, kind, types)

    def _subscribe(self, name: str, kind: str, types: Sequence[str]) -> None:
        expected = f"sensebind_msgs/msg/{_KINDS[kind]}"
        if expected not in types:
            self._node.get_logger().warning(
                f"{name} is not kept: its type is {', '.join(types)}, expected {expected}; set the "
                "node's parameter vectors to 'embedding'"
            )
            return
        takes = {"embedding": self._keeper.take_embedding, "zero_shot": self._keeper.take_scores}
        take = self._counted(takes[kind])
        message = getattr(self._messages, _KINDS[kind])
        self._node.create_subscription(message, name, take, QUEUE)
        self._node.get_logger().info(f"keeps {name}")
