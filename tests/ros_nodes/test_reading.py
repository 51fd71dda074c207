# SPDX-License-Identifier: Apache-2.0
"""From serialized messages to blocks, without ROS: as the readers of bags make them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind.config import StreamConfig
from sensebind.errors import ConfigError
from sensebind.sources.imu_join import Half, ImuJoiner
from sensebind.sources.messages.wire import DecodeError
from sensebind.types import FrameBlock, Modality, SampleBlock, UniformBlock
from sensebind_ros.reading import (
    ImuReader,
    frame_id_of,
    make_half_reader,
    make_reader,
    rotated,
)
from tests.support import bags, messages

if TYPE_CHECKING:
    from sensebind_ros.reading import Reader
    from tests.support.bags import Message

S = 1_000_000_000
VALUES = (0.5, -1.0, 9.8, 0.1, 0.2, 0.3)
SOUND = np.array([0, 16384, -32768, 1], np.int16)


def reader(kind: str, modality: Modality, **options: object) -> Reader:
    return make_reader("s", kind, StreamConfig(modality=modality, **options))  # type: ignore[arg-type]


def test_imu() -> None:
    data = bags.serialize(bags.imu("/imu", 3 * S + 7, VALUES))
    block = reader(bags.IMU, Modality.IMU).block(data)
    assert isinstance(block, SampleBlock)
    assert (block.stream, block.stamps_ns.tolist()) == ("s", [3 * S + 7])
    np.testing.assert_array_equal(block.values, [VALUES])


def test_an_imu_can_be_turned() -> None:
    imu = reader(bags.IMU, Modality.IMU)
    assert isinstance(imu, ImuReader)
    imu.rotation = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # a quarter to the left
    block = imu.block(bags.serialize(bags.imu("/imu", S, VALUES)))
    assert isinstance(block, SampleBlock)
    np.testing.assert_array_equal(block.values, [[1.0, 0.5, 9.8, -0.2, 0.1, 0.3]])
    turned = rotated(np.arange(12.0).reshape(2, 6), np.eye(3))
    np.testing.assert_array_equal(turned, np.arange(12.0).reshape(2, 6))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"gyro_covariance": -1.0}, "no angular velocity"),
        ({"acceleration_covariance": -1.0}, "no acceleration"),
    ],
)
def test_what_an_imu_lacks(options: dict[str, Any], told: str) -> None:
    data = bags.serialize(bags.imu("/imu", S, VALUES, **options))
    with pytest.raises(DecodeError, match=told):
        reader(bags.IMU, Modality.IMU).block(data)


def halves(accel: str = bags.IMU, gyro: str = bags.IMU) -> tuple[Reader, Reader]:
    joiner = ImuJoiner()
    return (
        make_half_reader("s", accel, Half.ACCELERATION, joiner),
        make_half_reader("s", gyro, Half.ROTATION, joiner),
    )


def test_halves_of_an_imu_are_joined() -> None:
    accel, gyro = halves()
    split: dict[str, Any] = {"acceleration_covariance": -1.0}  # of the gyroscope's messages
    ms = 1_000_000

    def push(which: Reader, stamp_ms: int, *values: float, **options: Any) -> SampleBlock | None:
        data = bags.serialize(bags.imu("/x", stamp_ms * ms, values, **options))
        block = which.block(data)
        assert block is None or isinstance(block, SampleBlock)
        return block

    assert push(accel, 1000, 1.0, 0, 0, 0, 0, 0, gyro_covariance=-1.0) is None
    assert push(gyro, 1005, 0, 0, 0, 7.0, 8.0, 9.0, **split) is None
    joined = push(accel, 1010, 3.0, 0, 0, 0, 0, 0)
    assert joined is not None
    assert joined.stamps_ns.tolist() == [1005 * ms]
    np.testing.assert_array_equal(joined.values, [[2.0, 0, 0, 7, 8, 9]])
    with pytest.raises(DecodeError, match="no acceleration"):
        push(accel, 1020, 0, 0, 0, 0, 0, 0, **split)


def test_halves_of_other_types() -> None:
    accel, _ = halves("geometry_msgs/msg/AccelStamped", "geometry_msgs/msg/TwistStamped")
    zero = (0.0, 0.0, 0.0)
    data = messages.serialized(
        "geometry_msgs/msg/AccelStamped", "/a", S, linear=(1.0, 2.0, 3.0), angular=zero
    )
    assert accel.block(bags.serialize(data)) is None
    with pytest.raises(ConfigError, match="carry no angular velocity; give accel_topic the acc"):
        halves(bags.IMU, "geometry_msgs/msg/AccelStamped")


def picture(message: Message, modality: Modality = Modality.DEPTH, **options: object) -> FrameBlock:
    block = reader(message.message_type, modality, **options).block(bags.serialize(message))
    assert isinstance(block, FrameBlock)
    return block


def test_pictures() -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    block = picture(bags.image("/d", S, pixels, "mono16"), format="16UC1")
    frame = block.frame
    assert (block.stamp_ns, frame.encoding, frame.width, frame.height) == (S, "16UC1", 4, 3)
    assert bytes(frame.data) == pixels.tobytes()
    jpeg = b"\xff\xd8\xff rest"
    block = picture(bags.compressed_image("/c", S, jpeg, "jpeg"), Modality.VISION)
    assert (block.frame.encoding, bytes(block.frame.data)) == ("jpeg", jpeg)


def test_the_focal_length_is_learnt() -> None:
    depth = reader(bags.IMAGE, Modality.DEPTH)
    store = bags.type_store()
    info_type = store.types["sensor_msgs/msg/CameraInfo"]
    header = store.types["std_msgs/msg/Header"](
        stamp=store.types["builtin_interfaces/msg/Time"](sec=1, nanosec=0), frame_id="camera"
    )
    region = store.types["sensor_msgs/msg/RegionOfInterest"](
        x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
    )
    k = np.zeros(9)
    k[0] = 615.0
    info = info_type(
        header=header, height=480, width=640, distortion_model="plumb_bob", d=np.zeros(5),
        k=k, r=np.zeros(9), p=np.zeros(12), binning_x=0, binning_y=0, roi=region,
    )  # fmt: skip
    depth.learn(bytes(store.serialize_cdr(info, "sensor_msgs/msg/CameraInfo")))
    data = bags.serialize(bags.image("/d", S, np.ones((3, 320), np.uint16), "16UC1"))
    block = depth.block(data)
    assert isinstance(block, FrameBlock)
    assert block.frame.focal_px == 307.5  # of half the width
    with pytest.raises(DecodeError, match="malformed message"):
        depth.learn(b"\0\1\0\0")


def test_sound_that_tells_its_format() -> None:
    raw = messages.serialized(
        "foxglove_msgs/msg/RawAudio", "/a", S, data=SOUND.view(np.uint8), format="pcm-s16",
        sample_rate=8000, number_of_channels=2,
    )  # fmt: skip
    block = reader(raw.message_type, Modality.AUDIO).block(bags.serialize(raw))
    assert isinstance(block, UniformBlock)
    assert (block.stamp_ns, block.rate_hz) == (S, 8000)
    np.testing.assert_array_equal(block.values, (SOUND / 32768).reshape(2, 2).astype(np.float32))


def test_sound_that_an_info_describes() -> None:
    sound = reader(bags.AUDIO, Modality.AUDIO)
    data = bags.serialize(bags.audio("/a", S, SOUND))
    with pytest.raises(DecodeError, match=r"sample rate unknown \(no AudioInfo message\)"):
        sound.block(data)
    sound.learn(bags.serialize(bags.audio_info("/info", S, rate_hz=16_000)))
    block = sound.block(data)
    assert isinstance(block, UniformBlock)
    assert (block.rate_hz, block.values.shape) == (16_000, (4, 1))
    sound.configure(StreamConfig(modality=Modality.AUDIO, channels=2))  # the info is still known
    block = sound.block(data)
    assert isinstance(block, UniformBlock)
    assert (block.rate_hz, block.values.shape) == (16_000, (2, 2))


def test_sound_described_by_parameters() -> None:
    sound = reader(bags.AUDIO, Modality.AUDIO, rate_hz=44_100.0, format="S16BE")
    block = sound.block(bags.serialize(bags.audio("/a", S, SOUND)))
    assert isinstance(block, UniformBlock)
    assert block.rate_hz == 44_100
    np.testing.assert_array_equal(block.values[:, 0], SOUND.byteswap() / np.float32(32768))


def test_sound_that_is_no_pcm() -> None:
    fix = "let the driver publish that, for example audio_capture with the parameter format:=wave"
    sound = reader(bags.AUDIO, Modality.AUDIO)
    mp3 = bags.serialize(bags.audio("/a", S, np.frombuffer(b"ID3\x03more.", np.uint8)))
    with pytest.raises(DecodeError, match=re.escape(f"audio coded as 'mp3', expected PCM; {fix}")):
        sound.block(mp3)
    info = bags.serialize(bags.audio_info("/info", S, coding_format="mp3"))
    with pytest.raises(DecodeError, match="audio coded as 'mp3'"):
        sound.learn(info)
    with pytest.raises(DecodeError, match="audio coded as 'mp3'"):
        sound.block(bags.serialize(bags.audio("/a", S, SOUND)))
    sound.learn(bags.serialize(bags.audio_info("/info", S)))  # the driver was started anew
    assert sound.block(bags.serialize(bags.audio("/a", S, SOUND))) is not None


@pytest.mark.parametrize(
    ("kind", "modality"),
    [
        (bags.IMU, Modality.DEPTH),
        (bags.IMAGE, Modality.AUDIO),
        ("std_msgs/msg/String", Modality.IMU),
        ("geometry_msgs/msg/Vector3Stamped", Modality.VISION),
    ],
)
def test_types_that_do_not_fit(kind: str, modality: Modality) -> None:
    with pytest.raises(ConfigError, match=f"s.type is '{kind}', which is not read as {modality}"):
        reader(kind, modality)


def test_half_an_imu_is_no_stream() -> None:
    with pytest.raises(ConfigError, match="name its two topics, accel_topic and gyro_topic"):
        reader("geometry_msgs/msg/Vector3Stamped", Modality.IMU)


def test_frame_ids() -> None:
    data = bags.serialize(bags.imu("/imu", S, VALUES, frame_id="imu_link"))
    assert frame_id_of(data, bags.IMU) == "imu_link"
    assert frame_id_of(data[:10], bags.IMU) == ""
    raw = messages.serialized(
        "foxglove_msgs/msg/RawAudio", "/a", S, data=SOUND.view(np.uint8), format="pcm-s16",
        sample_rate=8000, number_of_channels=1,
    )  # fmt: skip
    assert frame_id_of(bags.serialize(raw), raw.message_type) == ""
