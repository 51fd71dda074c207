# SPDX-License-Identifier: Apache-2.0
"""What the node publishes of its embeddings, and of its bundle."""

from __future__ import annotations

from array import array
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from sensebind.errors import InputError
from sensebind.fusion import JOINT_STREAM
from sensebind.grid import NS_PER_S
from sensebind.version import __version__
from sensebind_ros.interface import BUNDLE, CHANGES, EMBEDDING, ZERO_SHOT

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from sensebind.bundle import Bundle
    from sensebind.changes import ChangeEvent
    from sensebind.records import Record
    from sensebind_ros.configs import NodeConfig

    Messages = Any

RELIABLE = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
"""Embeddings are few, and none is to be lost, also where many come at once as a run ends."""
LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


def our_messages() -> Messages | None:
    """The module sensebind_msgs.msg; None where it was not built."""
    try:
        return cast("Messages", import_module("sensebind_msgs.msg"))
    except ImportError:
        return None


class Outputs:
    """The publishers of a configured node."""

    def __init__(self, node: LifecycleNode, config: NodeConfig, space_id: str) -> None:
        """Create a publisher for each stream and what else is asked for.

        They are silent until the node is active.

        Raises:
            InputError: if our messages are asked for and not installed.
        """
        self._msgs = our_messages()
        self._node = node
        self._space_id = space_id
        if self._msgs is None and config.vectors == "embedding":
            raise InputError(
                "vectors is 'embedding', but sensebind_msgs is not installed; build the package "
                "and source its setup file, or set vectors to 'array'"
            )
        self._arrays = config.vectors == "array" or self._msgs is None
        self._publishers: dict[tuple[str, str], Any] = {}
        for stream in (*config.streams, JOINT_STREAM) if config.joint else config.streams:
            self._add_stream(stream)
        self._changes = None
        if config.tell_changes:
            self._changes = node.create_lifecycle_publisher(
                import_module("std_msgs.msg").String, CHANGES.name, RELIABLE
            )
        self._bundle = None
        if self._msgs is not None:
            self._bundle = node.create_publisher(self._msgs.BundleInfo, BUNDLE.name, LATCHED)

    def publish(self, record: Record, frame_id: str, labels: tuple[str, ...]) -> None:
        """Publish an embedding, and its scores for these labels if it has any."""
        vector = self._publishers["embedding", record.embedding.stream]
        if self._arrays:
            vector.publish(array_message(record, self._space_id))
        else:
            vector.publish(embedding_message(self._msgs, record, frame_id, self._space_id))
        scores = self._publishers.get(("zero_shot", record.embedding.stream))
        if record.scores is not None and scores is not None:
            scores.publish(zero_shot_message(self._msgs, record, frame_id, labels))

    def publish_change(self, event: ChangeEvent) -> None:
        """Publish a change, as the line of JSON that files of changes have."""
        if self._changes is not None:
            text = msgspec.json.encode(event).decode()
            self._changes.publish(import_module("std_msgs.msg").String(data=text))

    def publish_bundle(
        self, bundle: Bundle, precision: str, labels: tuple[str, ...], now_ns: int
    ) -> None:
        """Tell what bundle runs and what is scored; late subscribers are told as well."""
        if self._bundle is not None:
            self._bundle.publish(bundle_message(self._msgs, bundle, precision, labels, now_ns))

    def close(self) -> None:
        """Destroy all publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        if self._changes is not None:
            self._node.destroy_lifecycle_publisher(self._changes)
        if self._bundle is not None:
            self._node.destroy_publisher(self._bundle)
        self._publishers.clear()
        self._bundle = self._changes = None

    def _add_stream(self, stream: str) -> None:
        if self._msgs is None or self._arrays:
            self._add("embedding", stream, import_module("std_msgs.msg").Float32MultiArray)
        else:
            self._add("embedding", stream, self._msgs.Embedding)
        if self._msgs is not None:
            self._add("zero_shot", stream, self._msgs.ZeroShot)

    def _add(self, kind: str, stream: str, message: Any) -> None:  # noqa: ANN401
        name = {"embedding": EMBEDDING, "zero_shot": ZERO_SHOT}[kind].of(stream)
        self._publishers[kind, stream] = self._node.create_lifecycle_publisher(
            message, name, RELIABLE
        )


def embedding_message(msgs: Messages, record: Record, frame_id: str, space_id: str) -> Any:  # noqa: ANN401
    """A record's sensebind_msgs/Embedding; its stamp is that of the newest sample."""
    e = record.embedding
    message = msgs.Embedding()
    _fill_header(message.header, e.stamp_ns, frame_id)
    message.stream, message.modality = e.stream, e.modality.value
    message.grid_ns, message.start_ns, message.end_ns = e.grid_ns, e.start_ns, e.end_ns
    message.coverage, message.valid_fraction = e.coverage, e.valid_fraction
    message.encoder_id, message.space_id = e.encoder_id, space_id
    message.vector = array("f", e.vector.tobytes())
    message.members = list(record.members)
    return message


def zero_shot_message(
    msgs: Messages, record: Record, frame_id: str, labels: tuple[str, ...]
) -> Any:  # noqa: ANN401
    """A record's sensebind_msgs/ZeroShot.

    Args:
        msgs: the messages' module.
        record: with scores in the order of `labels`, NaN for those not of its prompt set.
        frame_id: of the sensor.
        labels: of all prompt sets.
    """
    e, scores = record.embedding, record.scores
    assert scores is not None
    asked = np.flatnonzero(~np.isnan(scores))
    message = msgs.ZeroShot()
    _fill_header(message.header, e.stamp_ns, frame_id)
    message.stream, message.modality = e.stream, e.modality.value
    message.encoder_id, message.grid_ns = e.encoder_id, e.grid_ns
    message.label = record.label
    message.labels = [labels[k] for k in asked]
    message.scores = array("f", scores[asked].astype(np.float32).tobytes())
    message.prompt_set = record.prompt_set
    return message


def array_message(record: Record, space_id: str) -> Any:  # noqa: ANN401
    """A record's std_msgs/Float32MultiArray; the dimension's label tells what it is."""
    msgs = import_module("std_msgs.msg")
    e = record.embedding
    facts = {
        "stream": e.stream,
        "modality": e.modality.value,
        "stamp_ns": e.stamp_ns,
        "grid_ns": e.grid_ns,
        "coverage": f"{e.coverage:.4g}",
        "encoder_id": e.encoder_id,
        "space_id": space_id,
    }
    size = len(e.vector)
    label = " ".join(f"{name}={value}" for name, value in facts.items())
    message = msgs.Float32MultiArray()
    message.layout.dim = [msgs.MultiArrayDimension(label=label, size=size, stride=size)]
    message.data = array("f", e.vector.tobytes())
    return message


def bundle_message(
    msgs: Messages, bundle: Bundle, precision: str, labels: tuple[str, ...], now_ns: int
) -> Any:  # noqa: ANN401
    """The sensebind_msgs/BundleInfo of a bundle."""
    manifest = bundle.manifest
    message = msgs.BundleInfo()
    _fill_header(message.header, now_ns, "")
    message.name, message.kind = manifest.name, manifest.kind
    message.bundle_id, message.space_id = bundle.folder.bundle_id, manifest.space_id
    message.dim = manifest.dim
    message.modalities = [each.value for each in bundle.modalities]
    message.encoder_ids = [manifest.encoder_id(each) for each in bundle.modalities]
    message.backend, message.precision = bundle.backend, precision
    message.licence, message.version = manifest.licence, __version__
    message.labels = list(labels)
    return message


def fill_stamp(stamp: Any, time_ns: int) -> None:  # noqa: ANN401
    """Set a builtin_interfaces/Time."""
    stamp.sec, stamp.nanosec = divmod(time_ns, NS_PER_S)


def _fill_header(header: Any, stamp_ns: int, frame_id: str) -> None:  # noqa: ANN401
    fill_stamp(header.stamp, stamp_ns)
    header.frame_id = frame_id
