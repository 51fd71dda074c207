# SPDX-License-Identifier: Apache-2.0
"""Messages of the less common types, serialized by rosbags from their published definitions."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rosbags.typesys import get_types_from_msg

from tests.support import bags
from tests.support.bags import Message

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

_FOXGLOVE = {
    "foxglove_msgs/msg/RawAudio": (
        "builtin_interfaces/Time timestamp\nuint8[] data\nstring format\nuint32 sample_rate\n"
        "uint32 number_of_channels\n"
    ),
    "foxglove_msgs/msg/RawImage": (
        "builtin_interfaces/Time timestamp\nstring frame_id\nuint32 width\nuint32 height\n"
        "string encoding\nuint32 step\nuint8[] data\n"
    ),
    "foxglove_msgs/msg/CompressedImage": (
        "builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\nstring format\n"
    ),
}
_OURS = Path(__file__).resolve().parents[2] / "ros_nodes/sensebind_msgs/msg/AudioBlock.msg"

TYPES = (
    "geometry_msgs/msg/Vector3Stamped",
    "geometry_msgs/msg/AccelStamped",
    "geometry_msgs/msg/TwistStamped",
    "sensebind_msgs/msg/AudioBlock",
    *_FOXGLOVE,
)


@cache
def _know_types() -> None:
    definitions = {
        **_FOXGLOVE,
        "sensebind_msgs/msg/AudioBlock": _OURS.read_text(encoding="utf-8"),
    }
    for store in (bags.type_store(ros1=False), bags.type_store()):
        for name, definition in definitions.items():
            store.register(get_types_from_msg(definition, name))


def serialized(message_type: str, topic: str, stamp_ns: int, **fields: Any) -> Message:
    """A message of one of TYPES; three numbers are a Vector3."""
    _know_types()

    def build(store: Typestore, header: Any) -> object:
        types: dict[str, Any] = dict(store.types)

        def vector(values: tuple[float, ...]) -> object:
            return types["geometry_msgs/msg/Vector3"](**dict(zip("xyz", values, strict=True)))

        parts = {
            name: vector(value) if isinstance(value, tuple) else value
            for name, value in fields.items()
        }
        if message_type in _FOXGLOVE:
            return types[message_type](timestamp=header.stamp, **parts)
        inner = message_type.removesuffix("Stamped")
        if inner in ("geometry_msgs/msg/Accel", "geometry_msgs/msg/Twist"):
            parts = {inner.rpartition("/")[2].lower(): types[inner](**parts)}
        return types[message_type](header=header, **parts)

    return Message(topic, message_type, stamp_ns, stamp_ns, build)
