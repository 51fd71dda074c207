# SPDX-License-Identifier: Apache-2.0
"""A process that publishes serialized messages at their times: python -m …ros_publisher FILE.

FILE is a `Plan`. The process tells "matched" once every topic has a subscriber, takes a line with
the instant in ns that the first message's stamp is to be, publishes each message when its stamp has
come, and tells "done". It stays until its standard input is closed.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec


class Planned(msgspec.Struct, frozen=True, array_like=True):
    """One message: its topic, when it is published after the first, and its bytes."""

    topic: str
    after_ns: int
    data: bytes
    stamped: bool = True


class Plan(msgspec.Struct, frozen=True):
    """Everything to publish: types by topic, and messages in order."""

    types: dict[str, str]
    messages: list[Planned]
    reliable: bool = False
    depth: int = 100
    latched: bool = False


def at(message: Planned, begin_ns: int) -> bytes:
    """The message's bytes, stamped for a first message at `begin_ns`."""
    if not message.stamped:
        return message.data
    seconds, nanoseconds = divmod(begin_ns + message.after_ns, 1_000_000_000)
    stamp = seconds.to_bytes(4, "little") + nanoseconds.to_bytes(4, "little")
    return message.data[:4] + stamp + message.data[12:]


def main() -> None:
    import rclpy
    from rclpy.node import Node
    from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

    plan = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Plan)
    rclpy.init()
    node = Node("publisher")
    qos = QoSProfile(
        depth=plan.depth,
        reliability=(
            ReliabilityPolicy.RELIABLE if plan.reliable else ReliabilityPolicy.BEST_EFFORT
        ),
        durability=(
            DurabilityPolicy.TRANSIENT_LOCAL if plan.latched else DurabilityPolicy.VOLATILE
        ),
    )
    publishers: dict[str, Any] = {}
    for topic, kind in plan.types.items():
        package, _, name = kind.partition("/msg/")
        message_class = getattr(import_module(f"{package}.msg"), name)
        publishers[topic] = node.create_publisher(message_class, topic, qos)
    while not all(each.get_subscription_count() for each in publishers.values()):
        rclpy.spin_once(node, timeout_sec=0.02)
    print("matched", flush=True)
    begin_ns = int(sys.stdin.readline())
    for message in plan.messages:
        due_ns = begin_ns + message.after_ns
        while (left_ns := due_ns - time.time_ns()) > 0:
            time.sleep(left_ns / 1e9)
        publishers[message.topic].publish(at(message, begin_ns))
    print("done", flush=True)
    sys.stdin.read()
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
