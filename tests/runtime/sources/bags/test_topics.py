# SPDX-License-Identifier: Apache-2.0
"""Topics of bags as streams: halves joined, options applied, messages of every known type."""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind.config import stream_config_from_options
from sensebind.errors import SourceError
from sensebind.sources import open_source
from sensebind.sources.base import StreamKind, without_breaks
from sensebind.sources.mapping import map_streams
from sensebind.sources.messages.cdr import read_foxglove_compressed, read_foxglove_image
from sensebind.sources.messages.cdr_audio import read_audio_block, read_bare_audio, read_raw_audio
from sensebind.sources.messages.cdr_motion import read_angular, read_linear, read_vector
from sensebind.sources.messages.senses import imu_half
from sensebind.sources.messages.wire import DecodeError
from sensebind.types import FrameBlock, Modality, SampleBlock, UniformBlock
from tests.support import bags
from tests.support.blocks import plain
from tests.support.messages import TYPES, serialized

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sensebind.sources.base import Source
    from sensebind.types import Block
    from tests.support.bags import Message

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
UP = (0.0, 0.0, 9.8)


def bag(tmp_path: Path, messages: Iterable[Message]) -> Source:
    ordered = sorted(messages, key=lambda message: message.log_ns)
    return open_source(bags.write_mcap(tmp_path / "a.mcap", ordered))


def blocks_of(source: Source, stream: str, modality: str, **options: str) -> list[Block]:
    config = stream_config_from_options(stream, {"modality": modality, **options})
    return list(without_breaks(source.blocks({stream: config}, "stamp")))


def split_imu(count: int = 50) -> list[Message]:
    """A RealSense's halves: each at its own rate, the other quantity left at 0."""
    accel = [
        bags.imu("/cam/accel/sample", START_NS + 16 * MS * k, (k, 0, 9.8, 0, 0, 0))
        for k in range(count)
    ]
    gyro = [
        bags.imu("/cam/gyro/sample", START_NS + 5 * MS * k, (0, 0, 0, k, 0, 0.5))
        for k in range(3 * count)
    ]
    return accel + gyro


@pytest.mark.parametrize("order", ["stamp", "log"])
def test_a_split_imu_is_joined_by_itself(tmp_path: Path, order: Any) -> None:
    source = bag(tmp_path, split_imu())
    mapping = map_streams(source.streams(), set(Modality), {})
    (name,) = mapping.selected
    assert name == "/cam/accel/sample+/cam/gyro/sample"
    blocks = [b for b in source.blocks(mapping.selected, order) if isinstance(b, SampleBlock)]
    stamps_ns = np.concatenate([block.stamps_ns for block in blocks])
    values = np.concatenate([block.values for block in blocks])
    assert {block.stream for block in blocks} == {name}
    np.testing.assert_array_equal(stamps_ns, START_NS + 5 * MS * np.arange(150))
    np.testing.assert_allclose(values[:, 0], np.arange(150) * 5 / 16, atol=1e-12)
    np.testing.assert_array_equal(values[:, 3], np.arange(150))
    assert source.report.read == {name: 150}
    assert source.report.skipped == {}


def test_two_streams_named_by_the_user_are_joined_either_way(tmp_path: Path) -> None:
    source = bag(tmp_path, split_imu())
    names = ("/cam/accel/sample", "/cam/gyro/sample")
    first = blocks_of(source, "+".join(names), "imu")
    swapped = blocks_of(source, "+".join(reversed(names)), "imu")
    assert [part[1:] for part in plain(first)] == [part[1:] for part in plain(swapped)]


def test_a_half_cannot_be_in_two_streams(tmp_path: Path) -> None:
    source = bag(tmp_path, split_imu())
    pair = "/cam/accel/sample+/cam/gyro/sample"
    config = stream_config_from_options("", {"modality": "imu"})
    selected = {pair: config, "/cam/gyro/sample": config}
    with pytest.raises(SourceError, match=r"'/cam/gyro/sample' is asked for more than once"):
        list(source.blocks(selected, "stamp"))


@pytest.mark.parametrize(
    ("name", "rows", "half"),
    [
        ("/accel", [(*UP, 0, 0, 0)] * 3, "acceleration"),
        ("/accel", [(*UP, 0, 0, 0), (*UP, 0, 0, 1)], ""),
        ("/imu", [(*UP, 0, 0, 0)] * 3, ""),  # a simulated robot at rest
        ("/gyro", [(0, 0, 0, 0, 0, 0)] * 3, "angular velocity"),
        ("/imu", [(0, 0, 0, 0, 0, 1)], "angular velocity"),
        ("/imu", [(0, 0, 0, 0, 0, 0)], ""),
        ("/imu", [], ""),
    ],
)
def test_halves_are_told_by_zeros_and_names(
    name: str, rows: list[tuple[float, ...]], half: str
) -> None:
    messages = [bags.serialize(bags.imu(name, 0, row)) for row in rows]
    assert imu_half(name, messages, "cdr") == half


def test_vectors_are_joined_on_request(tmp_path: Path) -> None:
    messages = [
        serialized(kind, topic, START_NS + 10 * MS * k, **fields)
        for k in range(3)
        for kind, topic, fields in (
            ("geometry_msgs/msg/Vector3Stamped", "/a", {"vector": (k, 2.0, 3.0)}),
            ("geometry_msgs/msg/TwistStamped", "/t", {"linear": UP, "angular": (4.0, 5.0, 6.0)}),
        )
    ]
    source = bag(tmp_path, messages)
    assert {info.encoding for info in source.streams()} == {"vector"}
    (block,) = blocks_of(source, "/a+/t", "imu")
    assert isinstance(block, SampleBlock)
    assert block.values.tolist() == [[k, 2, 3, 4, 5, 6] for k in range(3)]
    with pytest.raises(SourceError, match=r"'/t' .*TwistStamped\) cannot be joined .* no accelera"):
        blocks_of(source, "/t+/a", "imu")


def test_units_and_encodings_are_applied(tmp_path: Path) -> None:
    pixels = np.full((4, 6), 2000, np.uint16)
    source = bag(
        tmp_path,
        [
            bags.imu("/imu", START_NS, (0, 0, 1, 180, 0, 0)),
            bags.image("/depth", START_NS, pixels, "mono16"),
            bags.audio("/mic", START_NS, np.array([0, 16384], np.int16)),
        ],
    )
    (imu,) = blocks_of(source, "/imu", "imu", unit="g;deg/s")
    assert isinstance(imu, SampleBlock)
    np.testing.assert_allclose(imu.values, [[0, 0, 9.80665, np.pi, 0, 0]])
    (depth,) = blocks_of(source, "/depth", "depth", format="16UC1")
    assert isinstance(depth, FrameBlock)
    assert depth.frame.encoding == "16UC1"
    (sound,) = blocks_of(source, "/mic", "audio", rate="8000")
    assert isinstance(sound, UniformBlock)
    assert (sound.rate_hz, sound.values.tolist()) == (8000, [[0], [0.5]])


def test_odd_values_are_noted_once_per_stream(tmp_path: Path) -> None:
    messages = [bags.imu("/imu", START_NS + 10 * MS * k, (0, 0, 1, 0, 0, 0)) for k in range(200)]
    source = bag(tmp_path, messages)
    for _ in range(2):
        assert len(blocks_of(source, "/imu", "imu")) > 1
    assert source.report.notes == [
        "/imu: the median acceleration is 1 m/s², expected about 9.8; it looks like g: give unit=g"
    ]


def test_sound_that_begins_like_a_codec_is_refused(tmp_path: Path) -> None:
    octets = np.frombuffer(b"ID3\x04" + bytes(60), np.uint8)
    (info,) = bag(tmp_path, [bags.audio("/mic", START_NS, octets)]).streams()
    assert info.kind is StreamKind.OTHER
    assert "'mp3', expected PCM" in info.note


SAMPLES = np.array([[0.5, -0.5], [0, 1]], np.float32)


@pytest.mark.parametrize(
    ("kind", "fields", "reader", "content"),
    [
        ("geometry_msgs/msg/Vector3Stamped", {"vector": (1, 2, 3)}, read_vector, (1, 2, 3)),
        ("geometry_msgs/msg/AccelStamped", {"linear": (1, 2, 3), "angular": (4, 5, 6)},
         read_linear, (1, 2, 3)),
        ("geometry_msgs/msg/TwistStamped", {"linear": (1, 2, 3), "angular": (4, 5, 6)},
         read_angular, (4, 5, 6)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("wire", ["cdr", "ros1"])
def test_vectors_equal_what_was_written(
    kind: str, fields: dict[str, Any], reader: Any, content: Any, wire: Any
) -> None:
    data = bags.serialize(serialized(kind, "/v", START_NS, **fields), ros1=wire == "ros1")
    assert reader(data, wire) == (START_NS, content)


@pytest.mark.parametrize("little_endian", [True, False])
def test_messages_of_other_packages_equal_what_was_written(little_endian: bool) -> None:
    def made(kind: str, **fields: Any) -> bytes:
        return bags.serialize(
            serialized(kind, "/m", START_NS, **fields), little_endian=little_endian
        )

    data = made("sensebind_msgs/msg/AudioBlock", rate_hz=48_000.0, clock_rate_hz=47_999.5,
                channels=2, first_sample=9, samples=SAMPLES.ravel())  # fmt: skip
    stamp_ns, sound = read_audio_block(data, "cdr")
    assert stamp_ns == START_NS
    assert sound.layout is not None
    assert sound.layout[:2] == (48_000, 2)
    assert sound.clock_rate_hz == 47_999.5
    octets = SAMPLES.astype("<f4" if little_endian else ">f4").tobytes()
    assert bytes(sound.octets) == octets
    data = made("foxglove_msgs/msg/RawAudio", data=np.arange(8, dtype=np.uint8), format="pcm-s16",
                sample_rate=16_000, number_of_channels=2)  # fmt: skip
    stamp_ns, sound = read_raw_audio(data, "cdr")
    assert (stamp_ns, sound.layout) == (START_NS, (16_000, 2, "S16LE"))
    assert bytes(sound.octets) == bytes(range(8))
    data = made("foxglove_msgs/msg/RawImage", frame_id="abc", width=3, height=2, encoding="mono8",
                step=3, data=np.arange(6, dtype=np.uint8))  # fmt: skip
    stamp_ns, frame = read_foxglove_image(data, "cdr")
    assert (frame.width, frame.height, frame.step, frame.encoding) == (3, 2, 3, "mono8")
    assert (stamp_ns, bytes(frame.data)) == (START_NS, bytes(range(6)))
    jpeg = b"\xff\xd8\xff\xe0" + bytes(9)
    data = made("foxglove_msgs/msg/CompressedImage", frame_id="ab", format="jpeg",
                data=np.frombuffer(jpeg, np.uint8))  # fmt: skip
    stamp_ns, frame = read_foxglove_compressed(data, "cdr")
    assert (stamp_ns, frame.encoding, bytes(frame.data)) == (START_NS, "jpeg", jpeg)


def test_all_types_for_tests_are_known() -> None:
    from sensebind.sources.messages.senses import SENSES

    assert set(TYPES) <= set(SENSES)


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, float("nan"), float("inf")])
def test_audio_blocks_without_a_rate_are_a_cause(rate_hz: float) -> None:
    message = serialized("sensebind_msgs/msg/AudioBlock", "/m", 0, rate_hz=rate_hz,
                         clock_rate_hz=0.0, channels=1, first_sample=0,
                         samples=SAMPLES.ravel())  # fmt: skip
    with pytest.raises(DecodeError, match="without rate or channels"):
        read_audio_block(bags.serialize(message), "cdr")


def test_bare_audio_has_no_stamp() -> None:
    assert read_bare_audio(b"\x00\x01\x00\x00" + pack("<I", 2) + b"ab", "cdr")[0] == 0
