# SPDX-License-Identifier: Apache-2.0
"""The other processes of `benchmarks.ros`: publish, listen or bare, and for how many SECONDS.

Each tells "ready" when it is, begins at a line on its standard input, and tells what it did as
JSON. What is published are the synthetic senses, stamped as they go out.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from importlib import import_module
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks._synthetic import DEPTH_HZ, IMU_HZ, SyntheticSource
from sensebind.bundle import Bundle
from sensebind.config import PipelineConfig, StreamConfig
from sensebind.pipeline import Pipeline
from sensebind.sources.paced import PacedSource
from sensebind.types import FrameBlock, Modality, SampleBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensebind.types import Block

HOP_S = 0.5
STREAMS = {
    "/imu": StreamConfig(modality=Modality.IMU, hop_s=HOP_S),
    "/mic": StreamConfig(modality=Modality.AUDIO, hop_s=HOP_S),
    "/depth": StreamConfig(modality=Modality.DEPTH, hop_s=HOP_S, trigger="grid"),
}
TYPES = {
    "/imu": "sensor_msgs/msg/Imu",
    "/mic": "sensebind_msgs/msg/AudioBlock",
    "/depth": "sensor_msgs/msg/Image",
}
_KEPT = {"/imu": 2 * IMU_HZ, "/mic": 200, "/depth": 2 * DEPTH_HZ}
_NS = 1_000_000_000
_PREPARED = 16
"""Messages of each stream that are serialized ahead, and sent by turns."""


def publish(seconds: float) -> dict[str, Any]:
    """Send the senses in real time."""
    import rclpy
    from rclpy.node import Node
    from rclpy.qos import QoSProfile, ReliabilityPolicy

    rclpy.init()
    node = Node("senses")
    publishers = {
        topic: node.create_publisher(
            _class(kind),
            topic,
            QoSProfile(depth=_KEPT[topic], reliability=ReliabilityPolicy.BEST_EFFORT),
        )
        for topic, kind in TYPES.items()
    }
    prepared = _serialized()
    while not all(each.get_subscription_count() for each in publishers.values()):
        rclpy.spin_once(node, timeout_sec=0.02)
    _wait_for_begin()
    sent = dict.fromkeys(TYPES, 0)
    first_ns: int | None = None
    begin_ns = time.monotonic_ns()
    for block in SyntheticSource().blocks(STREAMS, "stamp"):
        stamp_ns = block.first_ns
        first_ns = stamp_ns if first_ns is None else first_ns
        after_ns = stamp_ns - first_ns
        if after_ns > seconds * _NS:
            break
        left_ns = begin_ns + after_ns - time.monotonic_ns()
        if left_ns > 0:
            time.sleep(left_ns / 1e9)
        topic = block.stream
        messages = prepared[topic]
        publishers[topic].publish(_stamped(messages[sent[topic] % len(messages)]))
        sent[topic] += 1
    _tell(sent)
    sys.stdin.read()  # its subscribers may still be reading
    node.destroy_node()
    rclpy.try_shutdown()
    return {}


def listen(seconds: float) -> dict[str, Any]:
    """Receive the senses as bytes and do nothing with them: what rclpy itself takes."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node
    from rclpy.qos import QoSProfile, ReliabilityPolicy

    rclpy.init()
    node = Node("listener")
    got = dict.fromkeys(TYPES, 0)

    def counter(topic: str) -> Callable[[bytes], None]:
        def count(_: bytes) -> None:
            got[topic] += 1

        return count

    for topic, kind in TYPES.items():
        node.create_subscription(
            _class(kind),
            topic,
            counter(topic),
            QoSProfile(depth=_KEPT[topic], reliability=ReliabilityPolicy.BEST_EFFORT),
            raw=True,
        )
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    _wait_for_begin()
    until_s = time.monotonic() + seconds
    begin_s = time.process_time()
    while (left_s := until_s - time.monotonic()) > 0:
        executor.spin_once(timeout_sec=left_s)
    cpu = (time.process_time() - begin_s) / seconds
    node.destroy_node()
    rclpy.try_shutdown()
    return {"cpu_share": cpu, "received": got}


def bare(seconds: float) -> dict[str, Any]:
    """The same senses played into a pipeline in this process, and played to nobody."""
    folder = sys.argv[3]
    with Bundle.load(folder) as bundle, Pipeline(bundle, PipelineConfig(streams=STREAMS)) as pipe:
        played = PacedSource(SyntheticSource())
        with closing(pipe.run(played, seconds=seconds + 5)) as embeddings:
            next(embeddings)
            _wait_for_begin()
            begin_s, until_s = time.process_time(), time.monotonic() + seconds
            windows = sum(1 for _ in takewhile(lambda _: time.monotonic() < until_s, embeddings))
            whole = time.process_time() - begin_s
    played = PacedSource(SyntheticSource())
    begin_s = time.process_time()
    played.start(STREAMS, lambda _: None, lambda _: None)
    time.sleep(seconds)
    played.stop()
    playing = time.process_time() - begin_s
    return {
        "cpu_share": (whole - playing) / seconds,
        "with_playing": whole / seconds,
        "windows": windows,
    }


def _serialized() -> dict[str, list[bytes]]:
    """Some messages of each stream."""
    from rclpy.serialization import serialize_message

    found: dict[str, list[bytes]] = {topic: [] for topic in TYPES}
    for block in SyntheticSource().blocks(STREAMS, "stamp"):
        if len(found[block.stream]) < _PREPARED:
            found[block.stream].append(bytes(serialize_message(_message(block))))
        if all(len(each) == _PREPARED for each in found.values()):
            break
    return found


def _message(block: Block) -> Any:  # noqa: ANN401 - generated classes
    message = _class(TYPES[block.stream])()
    message.header.frame_id = "sensor"
    if isinstance(block, SampleBlock):
        ax, ay, az, gx, gy, gz = map(float, block.values[0])
        a, g = message.linear_acceleration, message.angular_velocity
        a.x, a.y, a.z, g.x, g.y, g.z = ax, ay, az, gx, gy, gz
    elif isinstance(block, FrameBlock):
        frame = block.frame
        message.encoding, message.data = frame.encoding, bytes(frame.data)
        message.width, message.height, message.step = frame.width, frame.height, frame.step
    else:
        message.rate_hz, message.channels = float(block.rate_hz), 1
        message.samples = block.values.ravel().tolist()
    return message


def _stamped(data: bytes) -> bytes:
    """The message with the present time as its stamp."""
    seconds, nanoseconds = divmod(time.time_ns(), _NS)
    return data[:4] + np.array([seconds, nanoseconds], "<u4").tobytes() + data[12:]


def _class(kind: str) -> Any:  # noqa: ANN401 - generated classes
    package, _, name = kind.partition("/msg/")
    return getattr(import_module(f"{package}.msg"), name)


def _wait_for_begin() -> None:
    _tell("ready")
    sys.stdin.readline()


def _tell(what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    role = {"publish": publish, "listen": listen, "bare": bare}[sys.argv[1]]
    _tell(role(float(sys.argv[2])))
