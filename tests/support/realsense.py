# SPDX-License-Identifier: Apache-2.0
"""RealSense recordings in small: the topics librealsense writes, with what their messages hold.

The .db3 follows what pyrealsense2 2.59.1 wrote for a software device (tables, topic names, types,
text of the metadata; receive times and header stamps count from the start of the recording). The
.bag follows the D435 recording among librealsense's unit tests (ROS 1, device stamps in headers).
"""

from __future__ import annotations

import io
import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tests.support import bags

if TYPE_CHECKING:
    from pathlib import Path

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
FLOAT = "std_msgs/msg/Float32"
SENSOR = "/device_0/sensor_0"
DEPTH_DB3 = f"{SENSOR}/Depth_0/image/data/compressedDepth"
ACCEL = "/device_0/sensor_2/Accel_0/imu/data"
DEPTH_BAG = f"{SENSOR}/Depth_0/image/data"
FOCAL_PX, DEPTH_UNIT, WIDTH, HEIGHT = 390.5, 0.0005, 8, 6
_MS = 1_000_000


def pixels(number: int) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """The depth frame of a number."""
    return np.full((HEIGHT, WIDTH), 1000 + number, np.uint16)


def device_ms(number: int) -> float:
    """When the device took a frame, in milliseconds of its clock."""
    return round(1000 + number * 1000 / 30, 6)


def write_db3(path: Path, frames: int = 10, *, without_metadata: tuple[int, ...] = ()) -> Path:
    """A .db3 of depth frames at 30 Hz and accelerometer readings, received in bursts of five."""
    database = sqlite3.connect(path)
    database.execute(
        "CREATE TABLE topics(id INTEGER PRIMARY KEY,name TEXT NOT NULL,type TEXT NOT NULL,"
        "serialization_format TEXT NOT NULL,offered_qos_profiles TEXT NOT NULL)"
    )
    database.execute(
        "CREATE TABLE messages(id INTEGER PRIMARY KEY,topic_id INTEGER NOT NULL,"
        "timestamp INTEGER NOT NULL, data BLOB NOT NULL)"
    )
    database.execute("CREATE INDEX timestamp_idx ON messages (timestamp ASC)")
    topics: dict[str, int] = {}

    def write(message: bags.Message) -> None:
        if message.topic not in topics:
            topics[message.topic] = len(topics) + 1
            named = (topics[message.topic], message.topic, message.message_type)
            database.execute("INSERT INTO topics VALUES (?,?,?,'cdr','')", named)
        row = (topics[message.topic], message.log_ns, bags.serialize(message))
        database.execute("INSERT INTO messages (topic_id, timestamp, data) VALUES (?,?,?)", row)

    write(bags.text(f"{SENSOR}/option/Depth_Units/value", 0, f"{DEPTH_UNIT:f}"))
    for number in range(frames):
        log_ns = number // 5 * 150 * _MS + number * 1000
        png = io.BytesIO()
        Image.fromarray(pixels(number)).save(png, "PNG")
        picture = bytes(12) + png.getvalue()
        write(bags.compressed_image(DEPTH_DB3, log_ns, picture, "16UC1; compressedDepth png"))
        if number not in without_metadata:
            stamp = f"timestamp_domain=Hardware Clock;timestamp={device_ms(number):f};"
            text = f"Frame number={number};{stamp}depth_units={DEPTH_UNIT:f};"
            write(bags.text(f"{SENSOR}/Depth_0/image/metadata", log_ns, text))
        write(_camera_info(f"{SENSOR}/Depth_0/image/camera_info", log_ns))
        write(bags.imu(ACCEL, log_ns + 1, [0, 9.8, number, 0, 0, 0], stamp_ns=log_ns))
        text = f"timestamp={device_ms(number):f};"
        write(bags.text(f"{ACCEL.removesuffix('/data')}/metadata", log_ns + 1, text))
    database.commit()
    database.close()
    return path


def write_bag(path: Path, frames: int = 3) -> Path:
    """A ROS 1 bag of depth frames as mono16 whose receive times are of another clock."""
    messages = [
        _float(f"{SENSOR}/option/Depth Units/value", 1, DEPTH_UNIT),
        _camera_info(f"{SENSOR}/Depth_0/info/camera_info", 1),
    ]
    for number in range(frames):
        stamp_ns = round(device_ms(number) * _MS)
        messages.append(
            bags.image(
                DEPTH_BAG, number * 30 * _MS + 1, pixels(number), "mono16", stamp_ns=stamp_ns
            )
        )
    return bags.write_ros1(path, messages)


def _camera_info(topic: str, log_ns: int) -> bags.Message:
    def build(store: Any, header: Any) -> object:
        types = store.types
        numbers = {"d": np.zeros(5), "k": np.array([FOCAL_PX, *[0.0] * 8]), "r": np.zeros(9)}
        numbers["p"] = np.zeros(12)
        ros1 = "seq" in type(header).__dataclass_fields__
        return types[CAMERA_INFO](
            header=header,
            height=HEIGHT,
            width=WIDTH,
            distortion_model="Brown Conrady",
            **{name.upper() if ros1 else name: value for name, value in numbers.items()},
            binning_x=0,
            binning_y=0,
            roi=types["sensor_msgs/msg/RegionOfInterest"](
                x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
            ),
        )

    return bags.Message(topic, CAMERA_INFO, log_ns, log_ns, build)


def _float(topic: str, log_ns: int, value: float) -> bags.Message:
    def build(store: Any, header: Any) -> object:
        return store.types[FLOAT](data=np.float32(value))

    return bags.Message(topic, FLOAT, log_ns, log_ns, build)
