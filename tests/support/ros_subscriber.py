# SPDX-License-Identifier: Apache-2.0
"""A process that receives embeddings and scores: python -m …ros_subscriber NODE STREAM….

It tells "ready" when it has subscribed. For the line "known" it waits until it knows publishers of
all that it subscribes to, since what they publish before is lost, and tells "known". For each line
"COUNT LABELS SECONDS" it waits for so many embeddings and labels, at most so long, and tells what
it has received since the start as JSON.
"""

from __future__ import annotations

import sys
import time
from threading import Condition, Thread
from typing import Any

import msgspec


class Got(msgspec.Struct, frozen=True):
    """An embedding that was received, and when."""

    stream: str
    modality: str
    grid_ns: int
    start_ns: int
    end_ns: int
    stamp_ns: int
    coverage: float
    valid_fraction: float
    encoder_id: str
    space_id: str
    frame_id: str
    vector: bytes
    received_ns: int
    label: str = ""


def got_of(message: Any, received_ns: int) -> Got:
    """What an Embedding message says."""
    stamp = message.header.stamp
    return Got(
        message.stream,
        message.modality,
        message.grid_ns,
        message.start_ns,
        message.end_ns,
        stamp.sec * 1_000_000_000 + stamp.nanosec,
        message.coverage,
        message.valid_fraction,
        message.encoder_id,
        message.space_id,
        message.header.frame_id,
        bytes(memoryview(message.vector).cast("B")),
        received_ns,
    )


def main() -> None:
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node
    from sensebind_msgs.msg import Embedding, ZeroShot

    node_name, *streams = sys.argv[1:]
    rclpy.init()
    node = Node("subscriber")
    got: list[Got] = []
    labels: dict[tuple[str, int], str] = {}
    came = Condition()

    def take(message: Any) -> None:
        with came:
            got.append(got_of(message, time.time_ns()))
            came.notify()

    def take_label(message: Any) -> None:
        with came:
            labels[message.stream, message.grid_ns] = message.label
            came.notify()

    for stream in streams:
        node.create_subscription(Embedding, f"{node_name}/embedding/{stream}", take, 100)
        node.create_subscription(ZeroShot, f"{node_name}/zero_shot/{stream}", take_label, 100)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    spinning = Thread(target=executor.spin, daemon=True)
    spinning.start()
    print("ready", flush=True)
    topics = [subscription.topic_name for subscription in node.subscriptions]
    for line in sys.stdin:
        if line.strip() == "known":
            while not all(map(node.count_publishers, topics)):
                time.sleep(0.01)
            print("known", flush=True)
            continue
        count, labelled, seconds = map(float, line.split())
        until_s = time.monotonic() + seconds
        with came:
            while len(got) < count or len(labels) < labelled:
                if not came.wait(until_s - time.monotonic()):
                    break
            told = [
                msgspec.structs.replace(g, label=labels.get((g.stream, g.grid_ns), "")) for g in got
            ]
        print(msgspec.json.encode(told).decode(), flush=True)
    executor.shutdown()
    spinning.join()
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
