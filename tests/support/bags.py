# SPDX-License-Identifier: Apache-2.0
"""Small recordings for tests: the same messages in every bag format.

Messages are serialized and files written by rosbags and mcap, so what the readers under test make
of them is checked against code that is not ours.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import zstandard
from mcap.writer import CompressionType, IndexType
from mcap.writer import Writer as McapWriter
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Rosbag2Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from rosbags.typesys.store import Typestore

    Builder = Callable[["Typestore", Any], object]

IMU = "sensor_msgs/msg/Imu"
IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
STRING = "std_msgs/msg/String"
AUDIO = "audio_common_msgs/msg/AudioDataStamped"
BARE_AUDIO = "audio_common_msgs/msg/AudioData"
AUDIO_INFO = "audio_common_msgs/msg/AudioInfo"

_AUDIO_DEFINITIONS = {
    BARE_AUDIO: "uint8[] data\n",
    AUDIO: "std_msgs/Header header\naudio_common_msgs/AudioData audio\n",
    AUDIO_INFO: (
        "uint8 channels\nuint32 sample_rate\nstring sample_format\nuint32 bitrate\n"
        "string coding_format\n"
    ),
}


@dataclass(frozen=True)
class Message:
    """One message to record: `build` makes it from a type store and a header."""

    topic: str
    message_type: str
    log_ns: int
    stamp_ns: int
    build: Builder
    frame_id: str = "base_link"


@cache
def type_store(*, ros1: bool = False) -> Typestore:
    """The messages of ROS 2 Humble, or ROS 1 Noetic, and audio_common_msgs."""
    store = get_typestore(Stores.ROS1_NOETIC if ros1 else Stores.ROS2_HUMBLE)
    for name, definition in _AUDIO_DEFINITIONS.items():
        store.register(get_types_from_msg(definition, name))
    return store


def imu(
    topic: str,
    log_ns: int,
    values: Sequence[float],
    *,
    stamp_ns: int | None = None,
    acceleration_covariance: float = 0.0,
    gyro_covariance: float = 0.0,
    frame_id: str = "imu_link",
) -> Message:
    """An Imu message of ax ay az gx gy gz, with the first elements of two covariances."""

    def build(store: Typestore, header: Any) -> object:
        types = store.types
        vector, quaternion = (
            types["geometry_msgs/msg/Vector3"],
            types["geometry_msgs/msg/Quaternion"],
        )
        ax, ay, az, gx, gy, gz = (float(value) for value in values)
        first = np.zeros(9)
        first[0] = 1.0
        return types[IMU](
            header=header,
            orientation=quaternion(x=0.1, y=0.2, z=0.3, w=0.4),
            orientation_covariance=np.arange(9.0),
            angular_velocity=vector(x=gx, y=gy, z=gz),
            angular_velocity_covariance=first * gyro_covariance,
            linear_acceleration=vector(x=ax, y=ay, z=az),
            linear_acceleration_covariance=first * acceleration_covariance,
        )

    return Message(topic, IMU, log_ns, log_ns if stamp_ns is None else stamp_ns, build, frame_id)


def image(
    topic: str,
    log_ns: int,
    pixels: NDArray[Any],
    encoding: str,
    *,
    stamp_ns: int | None = None,
    frame_id: str = "camera",
) -> Message:
    """An Image message of pixels (height, width[, channels])."""
    raw = np.ascontiguousarray(pixels)

    def build(store: Typestore, header: Any) -> object:
        return store.types[IMAGE](
            header=header,
            height=raw.shape[0],
            width=raw.shape[1],
            encoding=encoding,
            is_bigendian=0,
            step=raw.nbytes // raw.shape[0],
            data=raw.reshape(-1).view(np.uint8),
        )

    return Message(topic, IMAGE, log_ns, log_ns if stamp_ns is None else stamp_ns, build, frame_id)


def compressed_image(
    topic: str, log_ns: int, picture: bytes, layout: str, *, stamp_ns: int | None = None
) -> Message:
    """A CompressedImage message of a picture file and its format string."""

    def build(store: Typestore, header: Any) -> object:
        return store.types[COMPRESSED_IMAGE](
            header=header, format=layout, data=np.frombuffer(picture, np.uint8)
        )

    stamp_ns = log_ns if stamp_ns is None else stamp_ns
    return Message(topic, COMPRESSED_IMAGE, log_ns, stamp_ns, build)


def text(topic: str, log_ns: int, content: str) -> Message:
    """A String message, which is no sense."""

    def build(store: Typestore, header: Any) -> object:
        return store.types[STRING](data=content)

    return Message(topic, STRING, log_ns, log_ns, build)


def audio(
    topic: str, log_ns: int, samples: NDArray[Any], *, stamp_ns: int | None = None
) -> Message:
    """An AudioDataStamped message of PCM samples."""
    octets = np.ascontiguousarray(samples).reshape(-1).view(np.uint8)

    def build(store: Typestore, header: Any) -> object:
        return store.types[AUDIO](header=header, audio=store.types[BARE_AUDIO](data=octets))

    return Message(topic, AUDIO, log_ns, log_ns if stamp_ns is None else stamp_ns, build)


def bare_audio(topic: str, log_ns: int, samples: NDArray[Any]) -> Message:
    """An AudioData message of PCM samples; it has no header."""
    octets = np.ascontiguousarray(samples).reshape(-1).view(np.uint8)
    return Message(topic, BARE_AUDIO, log_ns, 0, lambda store, _: store.types[BARE_AUDIO](octets))


def audio_info(
    topic: str,
    log_ns: int,
    *,
    rate_hz: int = 16_000,
    channels: int = 1,
    sample_format: str = "S16LE",
    coding_format: str = "wave",
) -> Message:
    """An AudioInfo message."""

    def build(store: Typestore, header: Any) -> object:
        return store.types[AUDIO_INFO](
            channels=channels,
            sample_rate=rate_hz,
            sample_format=sample_format,
            bitrate=0,
            coding_format=coding_format,
        )

    return Message(topic, AUDIO_INFO, log_ns, log_ns, build)


def serialize(message: Message, *, ros1: bool = False, little_endian: bool = True) -> bytes:
    """The message's bytes as CDR, or as ROS 1 serializes it."""
    store = type_store(ros1=ros1)
    types = store.types
    seconds, nanoseconds = divmod(message.stamp_ns, 1_000_000_000)
    stamp = types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    extra = {"seq": 7} if ros1 else {}
    header = types["std_msgs/msg/Header"](stamp=stamp, frame_id=message.frame_id, **extra)
    built = message.build(store, header)
    if ros1:
        return bytes(store.serialize_ros1(built, message.message_type))
    return bytes(store.serialize_cdr(built, message.message_type, little_endian=little_endian))


def write_mcap(
    path: Path,
    messages: Iterable[Message],
    *,
    compression: str = "none",
    chunk_bytes: int = 4096,
    chunked: bool = True,
    indexed: bool = True,
    repeat_channels: bool = True,
) -> Path:
    """An .mcap file; chunks small enough that a short recording has several."""
    writer = McapWriter(
        str(path),
        chunk_size=chunk_bytes,
        compression=CompressionType[compression.upper()],
        index_types=IndexType.ALL if indexed else IndexType.NONE,
        repeat_channels=repeat_channels,
        repeat_schemas=repeat_channels,
        use_chunking=chunked,
        use_statistics=indexed,
    )
    writer.start("ros2", "tests")
    channels: dict[str, int] = {}
    for number, message in enumerate(messages):
        if message.topic not in channels:
            definition, _ = type_store().generate_msgdef(message.message_type, ros_version=2)
            schema = writer.register_schema(message.message_type, "ros2msg", definition.encode())
            channels[message.topic] = writer.register_channel(message.topic, "cdr", schema)
        writer.add_message(
            channels[message.topic], message.log_ns, serialize(message), message.log_ns, number
        )
    writer.finish()  # type: ignore[no-untyped-call]
    return path


def write_folder(
    path: Path,
    messages: Iterable[Message],
    storage: str = "sqlite3",
    *,
    zstd_messages: bool = False,
) -> Path:
    """A rosbag2 folder with metadata.yaml, storage "sqlite3" or "mcap"."""
    plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
    writer = Rosbag2Writer(path, version=9, storage_plugin=plugin)
    if zstd_messages:
        writer.set_compression(CompressionMode.MESSAGE, CompressionFormat.ZSTD)
    with writer:
        connections: dict[str, Any] = {}
        for message in messages:
            if message.topic not in connections:
                connections[message.topic] = writer.add_connection(
                    message.topic, message.message_type, typestore=type_store()
                )
            writer.write(connections[message.topic], message.log_ns, serialize(message))
    return path


def write_db3(path: Path, messages: Iterable[Message]) -> Path:
    """A single .db3 file."""
    folder = write_folder(path.with_suffix(".folder"), messages)
    (folder / f"{folder.name}.db3").rename(path)
    shutil.rmtree(folder)
    return path


def packed(path: Path) -> Path:
    """Compress a bag file, or the files of a folder's bag, as rosbag2 does it with whole files."""
    if path.is_dir():
        for part in [*path.glob("*.db3"), *path.glob("*.mcap")]:
            packed(part)
        listing = path / "metadata.yaml"
        listing.write_text(re.sub(r"\.(db3|mcap)\b", r".\1.zstd", listing.read_text()))
        return path
    target = path.with_name(path.name + ".zstd")
    target.write_bytes(zstandard.compress(path.read_bytes()))
    path.unlink()
    return target


def write_ros1(
    path: Path,
    messages: Iterable[Message],
    compression: str = "none",
    chunk_bytes: int = 1 << 20,
) -> Path:
    """A ROS 1 .bag file; compression "none", "bz2" or "lz4"."""
    writer = Ros1Writer(path)
    writer.chunk_threshold = chunk_bytes
    if compression != "none":
        writer.set_compression(Ros1Writer.CompressionFormat[compression.upper()])
    with writer:
        connections: dict[str, Any] = {}
        for message in messages:
            if message.topic not in connections:
                connections[message.topic] = writer.add_connection(
                    message.topic, message.message_type, typestore=type_store(ros1=True)
                )
            data = serialize(message, ros1=True)
            writer.write(connections[message.topic], message.log_ns, data)
    return path
