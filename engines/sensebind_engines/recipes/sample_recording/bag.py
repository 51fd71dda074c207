# SPDX-License-Identifier: Apache-2.0
"""The sample recording as a rosbag2-compatible MCAP file (CDR messages, ros2msg schemas)."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from sensebind_engines.recipes.sample_recording.audio import RATE_HZ
from sensebind_engines.recipes.sample_recording.render import DEPTH_EVERY, DEPTH_PX, focal_px

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from rosbags.typesys.store import Typestore

IMU_TOPIC = "/imu/data"
COLOUR_TOPIC = "/camera/color/image_raw/compressed"
DEPTH_TOPIC = "/camera/depth/image_rect_raw"
DEPTH_INFO_TOPIC = "/camera/depth/camera_info"
THERMAL_TOPIC = "/thermal/image_raw"
AUDIO_TOPIC = "/mic/audio"
AUDIO_INFO_TOPIC = "/mic/audio_info"
LABEL_TOPIC = "/label"
TOPIC_TYPES = {
    IMU_TOPIC: "sensor_msgs/msg/Imu",
    COLOUR_TOPIC: "sensor_msgs/msg/CompressedImage",
    DEPTH_TOPIC: "sensor_msgs/msg/Image",
    DEPTH_INFO_TOPIC: "sensor_msgs/msg/CameraInfo",
    THERMAL_TOPIC: "sensor_msgs/msg/Image",
    AUDIO_TOPIC: "audio_common_msgs/msg/AudioDataStamped",
    AUDIO_INFO_TOPIC: "audio_common_msgs/msg/AudioInfo",
    LABEL_TOPIC: "std_msgs/msg/String",
}

JPEG_QUALITY = 80
AUDIO_BLOCK = RATE_HZ // 10
_CHUNK_BYTES = 4 * 1024 * 1024
_S_TO_NS = 1_000_000_000

ORIGIN_NS = 1_767_225_600 * _S_TO_NS + 137_000_000
"""Stamp of the run's second 0: shortly after 2026-01-01T00:00:00 UTC, an arbitrary choice; on no
multiple of a usual hop, as in a real recording."""

# How long after its stamp a message reaches the recorder: mean and jitter, seconds.
_DELAYS_S = {
    IMU_TOPIC: (2.0e-3, 0.3e-3),
    COLOUR_TOPIC: (28.0e-3, 3.0e-3),
    DEPTH_TOPIC: (34.0e-3, 3.0e-3),
    DEPTH_INFO_TOPIC: (34.0e-3, 3.0e-3),
    THERMAL_TOPIC: (41.0e-3, 3.0e-3),
    AUDIO_INFO_TOPIC: (0.0, 0.0),
    AUDIO_TOPIC: (0.108, 1.5e-3),  # stamped at the block's first sample, sent after its last
    LABEL_TOPIC: (0.0, 0.0),
}


class Streams(NamedTuple):
    """Everything to record; times in seconds of the run.

    imu_stamps_s (n,), imu (n, 6) m/s^2 then rad/s; frame_stamps_s (m,), colour [m, h, w, 3] and
    every `DEPTH_EVERY`-th one's depth_mm [k, h, w] and thermal_ck [k, h, w]; audio int16 at 16 kHz;
    labels (start, text).
    """

    imu_stamps_s: NDArray[np.float64]
    imu: NDArray[np.float32]
    frame_stamps_s: NDArray[np.float64]
    colour: NDArray[np.uint8]
    depth_mm: NDArray[np.uint16]
    thermal_ck: NDArray[np.uint16]
    audio: NDArray[np.int16]
    labels: tuple[tuple[float, str], ...]
    accel_variance: float
    gyro_variance: float


class Record(NamedTuple):
    """One message: when the recorder received it, where it was published, its CDR bytes."""

    log_ns: int
    topic: str
    data: bytes


def typestore() -> Typestore:
    """ROS 2 Humble's message types and those of audio_common_msgs that the recording uses."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    audio = get_types_from_msg("uint8[] data\n", "audio_common_msgs/msg/AudioData")
    audio |= get_types_from_msg(
        "std_msgs/Header header\naudio_common_msgs/AudioData audio\n",
        "audio_common_msgs/msg/AudioDataStamped",
    )
    audio |= get_types_from_msg(
        "uint8 channels\nuint32 sample_rate\nstring sample_format\nuint32 bitrate\n"
        "string coding_format\n",
        "audio_common_msgs/msg/AudioInfo",
    )
    store.register(audio)
    return store


def records(
    streams: Streams, origin_ns: int, rng: np.random.Generator, store: Typestore
) -> list[Record]:
    """All messages in the order of reception; second 0 of the run is `origin_ns`."""
    out: list[Record] = []
    for topic, messages in _messages(streams, origin_ns, store).items():
        stamped = list(messages)
        mean_s, jitter_s = _DELAYS_S[topic]
        delays_s = mean_s + jitter_s * np.clip(rng.normal(size=len(stamped)), -3.0, 3.0)
        received = [ns + round(d * _S_TO_NS) for (ns, _), d in zip(stamped, delays_s, strict=True)]
        for log_ns, (_, message) in zip(np.maximum.accumulate(received), stamped, strict=True):
            data = store.serialize_cdr(message, TOPIC_TYPES[topic])
            out.append(Record(int(log_ns), topic, bytes(data)))
    return sorted(out, key=lambda record: record.log_ns)


def write_mcap(path: Path, messages: Iterable[Record], store: Typestore) -> None:
    """Write one zstd-compressed MCAP file with the schemas embedded."""
    from mcap.writer import CompressionType, Writer

    with path.open("wb") as file:
        writer = Writer(file, chunk_size=_CHUNK_BYTES, compression=CompressionType.ZSTD)
        writer.start(profile="ros2", library="sensebind")
        channels = {}
        for topic, kind in TOPIC_TYPES.items():
            text, _ = store.generate_msgdef(kind, ros_version=2)
            schema = writer.register_schema(kind, "ros2msg", text.encode())
            channels[topic] = writer.register_channel(topic, "cdr", schema)
        for sequence, (log_ns, topic, data) in enumerate(messages):
            writer.add_message(channels[topic], log_ns, data, log_ns, sequence)
        writer.finish()  # type: ignore[no-untyped-call]


def _messages(
    streams: Streams, origin_ns: int, store: Typestore
) -> dict[str, Iterator[tuple[int, Any]]]:
    """Per topic the (stamp_ns, message) pairs in order."""
    build = _Builder(store, origin_ns)
    return {
        IMU_TOPIC: build.imu(streams),
        COLOUR_TOPIC: build.colour(streams),
        DEPTH_TOPIC: build.depth(streams),
        DEPTH_INFO_TOPIC: build.depth_info(streams),
        THERMAL_TOPIC: build.thermal(streams),
        AUDIO_TOPIC: build.audio(streams),
        AUDIO_INFO_TOPIC: build.audio_info(),
        LABEL_TOPIC: build.labels(streams),
    }


class _Builder:
    """Makes ROS messages whose header.stamp is the time of acquisition."""

    def __init__(self, store: Typestore, origin_ns: int) -> None:
        self._types = store.types
        self._origin_ns = origin_ns

    def imu(self, streams: Streams) -> Iterator[tuple[int, Any]]:
        """REP 145: SI units, body axes, no orientation (first covariance -1)."""
        vector, quaternion = (
            self._kind("geometry_msgs/msg/Vector3"),
            self._kind("geometry_msgs/msg/Quaternion"),
        )
        unknown = np.zeros(9)
        unknown[0] = -1.0
        gyro_covariance = np.eye(3).ravel() * streams.gyro_variance
        accel_covariance = np.eye(3).ravel() * streams.accel_variance
        message = self._kind("sensor_msgs/msg/Imu")
        for time_s, row in zip(streams.imu_stamps_s, streams.imu.tolist(), strict=True):
            stamp_ns = self._stamp_ns(time_s)
            yield (
                stamp_ns,
                message(
                    header=self._header(stamp_ns, "imu_link"),
                    orientation=quaternion(x=0.0, y=0.0, z=0.0, w=1.0),
                    orientation_covariance=unknown,
                    angular_velocity=vector(x=row[3], y=row[4], z=row[5]),
                    angular_velocity_covariance=gyro_covariance,
                    linear_acceleration=vector(x=row[0], y=row[1], z=row[2]),
                    linear_acceleration_covariance=accel_covariance,
                ),
            )

    def colour(self, streams: Streams) -> Iterator[tuple[int, Any]]:
        """JPEG pictures."""
        message = self._kind("sensor_msgs/msg/CompressedImage")
        for time_s, image in zip(streams.frame_stamps_s, streams.colour, strict=True):
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
            stamp_ns = self._stamp_ns(time_s)
            yield (
                stamp_ns,
                message(
                    header=self._header(stamp_ns, "camera_color_optical_frame"),
                    format="rgb8; jpeg compressed bgr8",
                    data=np.frombuffer(buffer.getvalue(), np.uint8),
                ),
            )

    def depth(self, streams: Streams) -> Iterator[tuple[int, Any]]:
        """Raw 16UC1 images in millimetres, 0 where unknown (REP 118)."""
        return self._counts(streams, streams.depth_mm, "16UC1", "camera_depth_optical_frame")

    def thermal(self, streams: Streams) -> Iterator[tuple[int, Any]]:
        """Raw mono16 images in hundredths of a kelvin."""
        return self._counts(streams, streams.thermal_ck, "mono16", "thermal_optical_frame")

    def depth_info(self, streams: Streams) -> Iterator[tuple[int, Any]]:
        """The depth camera: a pinhole without distortion."""
        message, region = (
            self._kind("sensor_msgs/msg/CameraInfo"),
            self._kind("sensor_msgs/msg/RegionOfInterest"),
        )
        height, width = DEPTH_PX
        focal = focal_px(width)
        matrix = np.array([focal, 0, width / 2 - 0.5, 0, focal, height / 2 - 0.5, 0, 0, 1.0])
        projection = np.insert(matrix, (3, 6, 9), 0.0)
        whole = region(x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        for time_s in streams.frame_stamps_s[::DEPTH_EVERY]:
            stamp_ns = self._stamp_ns(time_s)
            yield (
                stamp_ns,
                message(
                    header=self._header(stamp_ns, "camera_depth_optical_frame"),
                    height=height,
                    width=width,
                    distortion_model="plumb_bob",
                    d=np.zeros(5),
                    k=matrix,
                    r=np.eye(3).ravel(),
                    p=projection,
                    binning_x=0,
                    binning_y=0,
                    roi=whole,
                ),
            )

    def _counts(
        self, streams: Streams, images: NDArray[np.uint16], encoding: str, frame_id: str
    ) -> Iterator[tuple[int, Any]]:
        message = self._kind("sensor_msgs/msg/Image")
        stamps_s = streams.frame_stamps_s[::DEPTH_EVERY]
        for time_s, image in zip(stamps_s, images, strict=True):
            height, width = image.shape
            stamp_ns = self._stamp_ns(time_s)
            yield (
                stamp_ns,
                message(
                    header=self._header(stamp_ns, frame_id),
                    height=height,
                    width=width,
                    encoding=encoding,
                    is_bigendian=0,
                    step=2 * width,
                    data=image.astype("<u2").reshape(-1).view(np.uint8),
                ),
            )

    def audio(self, streams: Streams) -> Iterator[tuple[int, Any]]:
        """Blocks of 100 ms, S16LE mono, stamped at their first sample."""
        message = self._kind("audio_common_msgs/msg/AudioDataStamped")
        payload = self._kind("audio_common_msgs/msg/AudioData")
        samples = streams.audio.astype("<i2")
        for begin in range(0, len(samples) - AUDIO_BLOCK + 1, AUDIO_BLOCK):
            stamp_ns = self._origin_ns + begin * _S_TO_NS // RATE_HZ
            block = samples[begin : begin + AUDIO_BLOCK].view(np.uint8)
            header = self._header(stamp_ns, "mic_link")
            yield stamp_ns, message(header=header, audio=payload(data=block))

    def audio_info(self) -> Iterator[tuple[int, Any]]:
        """How the blocks are to be read, once at the beginning, as audio_common publishes it."""
        message = self._kind("audio_common_msgs/msg/AudioInfo")
        yield (
            self._origin_ns,
            message(
                channels=1,
                sample_rate=RATE_HZ,
                sample_format="S16LE",
                bitrate=0,
                coding_format="wave",
            ),
        )

    def labels(self, streams: Streams) -> Iterator[tuple[int, Any]]:
        """What the robot does from now on, as text."""
        message = self._kind("std_msgs/msg/String")
        for start_s, text in streams.labels:
            yield self._stamp_ns(start_s), message(data=text)

    def _stamp_ns(self, time_s: float) -> int:
        return self._origin_ns + round(float(time_s) * _S_TO_NS)

    def _kind(self, name: str) -> Any:  # noqa: ANN401 -- rosbags makes its classes at run time
        return self._types[name]

    def _header(self, stamp_ns: int, frame_id: str) -> Any:  # noqa: ANN401
        time = self._kind("builtin_interfaces/msg/Time")
        stamp = time(sec=stamp_ns // _S_TO_NS, nanosec=stamp_ns % _S_TO_NS)
        return self._kind("std_msgs/msg/Header")(stamp=stamp, frame_id=frame_id)
