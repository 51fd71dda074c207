# SPDX-License-Identifier: Apache-2.0
"""Messages laid out by us are read by the middleware as what they were."""

from __future__ import annotations

from array import array
from typing import Any

import pytest

from sensebind.sources.messages.cdr import read_image, read_imu
from sensebind_ros.plain_cdr import is_plain, plain_cdr
from sensebind_ros.source import Topic

pytestmark = pytest.mark.ros


def messages() -> list[Any]:
    from rcl_interfaces.msg import IntegerRange, ParameterDescriptor
    from sensebind_msgs.msg import Embedding, ZeroShot
    from sensor_msgs.msg import CameraInfo, Image, Imu

    imu = Imu()
    imu.header.frame_id = "imu"
    imu.header.stamp.sec, imu.header.stamp.nanosec = 5, 6
    imu.linear_acceleration.x, imu.angular_velocity.z = 3.0, -1.5
    imu.orientation_covariance[0] = -1.0
    image = Image(encoding="16UC1", width=3, height=2, step=6, data=bytes(range(12)))
    info = CameraInfo(d=[1.0, 2.0], distortion_model="plumb_bob")
    info.k[0] = 5.0
    vector = Embedding(vector=array("f", [1.0, 0.5]), members=["a", "bb", ""], grid_ns=-3)
    scores = ZeroShot(labels=["", "long label"], scores=array("f", [0.25]))
    descriptor = ParameterDescriptor(name="n", read_only=True, type=3)
    descriptor.integer_range = [IntegerRange(from_value=-4, to_value=9, step=2)]
    return [imu, image, info, vector, scores, descriptor, Image(), Embedding()]


def test_the_middleware_reads_what_was_meant() -> None:
    from rclpy.serialization import deserialize_message

    for message in messages():
        data = plain_cdr(message)
        assert is_plain(data)
        assert deserialize_message(data, type(message)) == message


def test_our_views_read_it_too() -> None:
    imu, image, *_ = messages()
    assert read_imu(plain_cdr(imu), "cdr") == (5_000_000_006, (3.0, 0, 0, 0, 0, -1.5))
    frame = read_image(plain_cdr(image), "cdr")[1]
    assert (frame.encoding, bytes(frame.data)) == ("16UC1", bytes(range(12)))


def test_other_encodings_are_told_apart() -> None:
    assert is_plain(b"\0\0\0\0")
    assert not any(map(is_plain, (b"", b"\0", b"\0\7\0\0", b"\1\1\0\0")))


def test_a_subscription_gets_plain_cdr_whatever_comes() -> None:
    from rclpy.serialization import serialize_message
    from sensor_msgs.msg import Imu

    from sensebind_ros.subscriptions import take_plain

    got: list[bytes] = []
    topic = Topic("/imu", "imu")
    take = take_plain(Imu, topic, got.append)
    data = bytes(serialize_message(messages()[0]))
    for number in (4, 5, 9):
        info = {"publication_sequence_number": number, "publisher_gid": {"data": b"x"}}
        take(data, info)
    assert got == [data] * 3
    assert topic.missing == 3
