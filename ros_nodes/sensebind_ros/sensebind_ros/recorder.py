# SPDX-License-Identifier: Apache-2.0
"""Keep a node's embeddings in a file: python -m sensebind_ros.recorder --out FILE.

The file is one that `sensebind search` reads: .parquet, .mcap or .jsonl.
"""

from __future__ import annotations

import signal
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from sensebind.errors import SenseBindError
from sensebind_ros.keeping import Keeper
from sensebind_ros.outputs import LATCHED, our_messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rclpy.node import Node

QUEUE = QoSProfile(
    depth=1000,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
)
_LOOK_S = 0.1
"""How often the recorder looks for streams that have come up."""
_KINDS = {"embedding": "Embedding", "zero_shot": "ZeroShot"}


class Recorder:
    """Subscribes to all that a node publishes of its embeddings."""

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
        taken = -1
        while taken != self._taken:  # a round takes a message of each topic that has any
            taken = self._taken
            for _ in range(len(self._topics) + 2):
                executor.spin_once(timeout_sec=0)
        executor.shutdown()

    def _counted(self, take: Callable[[Any], None]) -> Callable[[Any], None]:
        """As `take`, and counts what is taken."""

        def counted(message: Any) -> None:  # noqa: ANN401 - generated classes
            self._taken += 1
            take(message)

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Record until Ctrl-C or SIGTERM; the exit code: 0 done, 1 failed, 2 bad usage."""
    words = list(sys.argv if arguments is None else ["recorder", *arguments])
    options = _parser().parse_args(remove_ros_args(words)[1:])
    rclpy.init(args=words, signal_handler_options=SignalHandlerOptions.NO)
    asked_to_stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: asked_to_stop.append(number))
    node = rclpy.create_node("sensebind_recorder")
    try:
        keeper = Keeper(options.out, options.node)
        recorder = Recorder(node, "/" + options.node.strip("/"), keeper)
        recorder.run(lambda: bool(asked_to_stop))
        keeper.close()
        node.get_logger().info(_summary(keeper))
    except SenseBindError as error:
        node.get_logger().error(str(error))
        return 1
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _summary(keeper: Keeper) -> str:
    files = ", ".join(map(str, keeper.files)) or "no file"
    lost = f", {keeper.unmatched} without the other half" if keeper.unmatched else ""
    return f"{keeper.kept} embeddings in {files}{lost}"


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="sensebind_recorder", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help=".parquet, .mcap or .jsonl")
    parser.add_argument("--node", default="/sensebind", help="full name of the node")
    return parser


if __name__ == "__main__":
    sys.exit(main())
