# SPDX-License-Identifier: Apache-2.0
"""The recording's file: read back by rosbags without being told any type, and its bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="the recording's modules need the recipes extra")
pytest.importorskip("scipy", reason="the recording's modules need the recipes extra")

from PIL import Image
from rosbags.highlevel import AnyReader

from sensebind.config import StreamConfig
from sensebind.sources import open_source
from sensebind.types import FrameBlock, Modality, UniformBlock
from sensebind_engines.recipes.sample_recording import bag
from sensebind_engines.recipes.sample_recording.bag import Streams
from sensebind_engines.recipes.sample_recording.render import DEPTH_EVERY

if TYPE_CHECKING:
    from pathlib import Path

N_IMU, N_FRAMES, N_BLOCKS = 40, 5, 3
CDR_HEADER = 4


def _streams() -> Streams:
    rng = np.random.default_rng(0)
    return Streams(
        imu_stamps_s=np.arange(N_IMU) / 400.0,
        imu=rng.normal(size=(N_IMU, 6)).astype(np.float32),
        frame_stamps_s=np.arange(N_FRAMES) / 5.0,
        colour=np.full((N_FRAMES, 24, 32, 3), (200, 40, 90), np.uint8),
        depth_mm=rng.integers(0, 9000, (2, 12, 16)).astype(np.uint16),
        thermal_ck=rng.integers(29000, 31000, (2, 6, 8)).astype(np.uint16),
        audio=rng.integers(-9000, 9000, N_BLOCKS * bag.AUDIO_BLOCK + 7).astype(np.int16),
        labels=((0.0, "still"), (0.05, "spin")),
        accel_variance=0.25,
        gyro_variance=0.5,
    )


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bag") / "sample.mcap"
    store = bag.typestore()
    messages = bag.records(_streams(), bag.ORIGIN_NS, np.random.default_rng(1), store)
    bag.write_mcap(path, messages, store)
    return path


def _read(path: Path, topic: str) -> list[tuple[int, Any]]:
    with AnyReader([path]) as reader:
        wanted = [c for c in reader.connections if c.topic == topic]
        return [
            (log_ns, reader.deserialize(data, connection.msgtype))
            for connection, log_ns, data in reader.messages(wanted)
        ]


def test_counts(recording: Path) -> None:
    with AnyReader([recording]) as reader:
        counts = {c.topic: c.msgcount for c in reader.connections}
        kinds = {c.topic: c.msgtype for c in reader.connections}
    assert kinds == bag.TOPIC_TYPES
    assert counts == {
        bag.IMU_TOPIC: N_IMU,
        bag.COLOUR_TOPIC: N_FRAMES,
        bag.DEPTH_TOPIC: 2,
        bag.DEPTH_INFO_TOPIC: 2,
        bag.THERMAL_TOPIC: 2,
        bag.AUDIO_TOPIC: N_BLOCKS,
        bag.AUDIO_INFO_TOPIC: 1,
        bag.LABEL_TOPIC: 2,
    }


def test_imu_values_and_stamps(recording: Path) -> None:
    streams = _streams()
    for index, (log_ns, message) in enumerate(_read(recording, bag.IMU_TOPIC)):
        stamp = message.header.stamp
        stamp_ns = stamp.sec * 10**9 + stamp.nanosec
        assert stamp_ns == bag.ORIGIN_NS + round(index / 400.0 * 1e9)
        assert 0 < log_ns - stamp_ns < 5_000_000
        acceleration, rate = message.linear_acceleration, message.angular_velocity
        values = [acceleration.x, acceleration.y, acceleration.z, rate.x, rate.y, rate.z]
        assert values == streams.imu[index].tolist()
        assert message.orientation_covariance[0] == -1.0  # REP 145: no orientation
        assert message.linear_acceleration_covariance[[0, 4, 8]].tolist() == [0.25] * 3


def test_colour_depth_and_heat(recording: Path) -> None:
    streams = _streams()
    frames = _read(recording, bag.COLOUR_TOPIC)
    image = np.asarray(Image.open(io.BytesIO(bytes(frames[0][1].data))))
    assert np.abs(image.astype(int) - streams.colour[0]).max() <= 4
    for index, (_, message) in enumerate(_read(recording, bag.DEPTH_TOPIC)):
        assert (message.encoding, message.step) == ("16UC1", 32)
        pixels = message.data.view("<u2").reshape(message.height, message.width)
        assert (pixels == streams.depth_mm[index]).all()
        assert message.header.stamp == frames[DEPTH_EVERY * index][1].header.stamp
    for index, (_, message) in enumerate(_read(recording, bag.THERMAL_TOPIC)):
        assert (message.encoding, message.step) == ("mono16", 16)
        pixels = message.data.view("<u2").reshape(message.height, message.width)
        assert (pixels == streams.thermal_ck[index]).all()


def test_the_depth_camera_tells_its_focal_length(recording: Path) -> None:
    """320 x 240 at 50 degrees from top to bottom, seen with half the pixels."""
    (_, message), *_ = _read(recording, bag.DEPTH_INFO_TOPIC)
    assert message.k[0] == message.k[4] == pytest.approx(60 / np.tan(np.radians(25)))
    assert (message.width, message.height) == (160, 120)
    with open_source(recording) as source:
        (block, *_) = source.blocks({bag.DEPTH_TOPIC: StreamConfig(modality=Modality.DEPTH)}, "log")
    assert isinstance(block, FrameBlock)
    # The message's pictures are 16 pixels wide here, a tenth of the camera's.
    assert block.frame.focal_px == pytest.approx(message.k[0] / 10)


def test_audio_blocks_are_stamped_at_their_first_sample(recording: Path) -> None:
    samples = _streams().audio
    for index, (log_ns, message) in enumerate(_read(recording, bag.AUDIO_TOPIC)):
        block = message.audio.data.view("<i2")
        begin = index * bag.AUDIO_BLOCK
        assert (block == samples[begin : begin + bag.AUDIO_BLOCK]).all()
        stamp_ns = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        assert stamp_ns == bag.ORIGIN_NS + index * 100_000_000
        assert log_ns > stamp_ns + 100_000_000


def test_the_sound_is_read_without_being_told_how(recording: Path) -> None:
    with open_source(recording) as source:
        config = StreamConfig(modality=Modality.AUDIO)
        (block, *_) = source.blocks({bag.AUDIO_TOPIC: config}, "log")
    assert isinstance(block, UniformBlock)
    assert block.rate_hz == 16_000
    expected = _streams().audio[: len(block.values)] / 32768
    np.testing.assert_allclose(block.values[:, 0], expected, atol=1e-6)


def test_messages_are_in_the_order_of_reception(recording: Path) -> None:
    with AnyReader([recording]) as reader:
        times = [log_ns for _, log_ns, _ in reader.messages()]
    assert times == sorted(times)


def test_cdr_sizes() -> None:
    """Sizes by hand from the CDR rules: alignment counts from after the 4-byte header."""
    store = bag.typestore()
    sizes = {
        record.topic: len(record.data)
        for record in bag.records(_streams(), 0, np.random.default_rng(1), store)
    }
    # stamp 8, "imu_link" 4 + 9, pad to 24, quaternion 4 x 8, 2 vectors 3 x 8, 3 covariances 9 x 8
    assert sizes[bag.IMU_TOPIC] == CDR_HEADER + 24 + 32 + 48 + 216
    # stamp 8, frame id 4 + 27, pad to 40, height and width 8, "16UC1" 4 + 6, bigendian 1,
    # pad to 60, step 4, length 4, pixels
    assert sizes[bag.DEPTH_TOPIC] == CDR_HEADER + 60 + 4 + 4 + 2 * 12 * 16
    # stamp 8, "mic_link" 4 + 9, pad to 24, length 4, samples
    assert sizes[bag.AUDIO_TOPIC] == CDR_HEADER + 24 + 4 + 2 * bag.AUDIO_BLOCK


def test_writing_twice_gives_the_same_bytes(recording: Path, tmp_path: Path) -> None:
    store = bag.typestore()
    again = tmp_path / "again.mcap"
    messages = bag.records(_streams(), bag.ORIGIN_NS, np.random.default_rng(1), store)
    bag.write_mcap(again, messages, store)
    assert again.read_bytes() == recording.read_bytes()
