# SPDX-License-Identifier: Apache-2.0
"""The views against rosbags' deserialization, and against bytes that are no messages."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from struct import pack
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sensebind.sources.messages.cdr import (
    read_compressed_image,
    read_image,
    read_imu,
)
from sensebind.sources.messages.cdr_audio import read_audio_info, read_stamped_audio
from sensebind.sources.messages.wire import Cursor, DecodeError, unpacked_zstd
from tests.support import bags

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.bags import Message

STAMP_NS = 1_700_000_123_456_789_012
VALUES = (0.25, -1.5, 9.81, 0.01, -0.02, 23.0)
JPEG = b"\xff\xd8\xff\xe0" + bytes(40)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
PIXELS = np.arange(4 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3)

READERS: dict[str, tuple[Message, Callable[..., tuple[int, Any]]]] = {
    "imu": (bags.imu("/imu", 0, VALUES, stamp_ns=STAMP_NS), read_imu),
    "image": (bags.image("/image", 0, PIXELS, "rgb8", stamp_ns=STAMP_NS), read_image),
    "compressed": (
        bags.compressed_image("/jpeg", 0, JPEG, "jpeg", stamp_ns=STAMP_NS),
        read_compressed_image,
    ),
    "audio": (
        bags.audio("/audio", 0, np.arange(50, dtype=np.int16), stamp_ns=STAMP_NS),
        read_stamped_audio,
    ),
}
WIRES: dict[str, dict[str, bool]] = {
    "cdr": {},
    "big-endian cdr": {"little_endian": False},
    "ros1": {"ros1": True},
}


def read(kind: str, data: bytes, wire: str = "cdr") -> tuple[int, Any]:
    return READERS[kind][1](data, "ros1" if wire == "ros1" else "cdr")


@pytest.mark.parametrize("wire", WIRES)
# Strings of every length move the fields behind them to every alignment.
@pytest.mark.parametrize("frame_id", ["", "a", "ab", "abc", "abcd", "abcde", "abcdef", "abcdefg"])
def test_imu_equals_what_was_written(frame_id: str, wire: str) -> None:
    message = bags.imu("/imu", 0, VALUES, stamp_ns=STAMP_NS, frame_id=frame_id)
    assert read("imu", bags.serialize(message, **WIRES[wire]), wire) == (STAMP_NS, VALUES)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "bayer_rggb8", "x", ""])
@pytest.mark.parametrize("frame_id", ["", "camera", "camera_"])
def test_image_equals_what_was_written(frame_id: str, encoding: str, wire: str) -> None:
    message = bags.image("/i", 0, PIXELS, encoding, stamp_ns=STAMP_NS, frame_id=frame_id)
    data = bags.serialize(message, **WIRES[wire])
    stamp_ns, frame = read("image", data, wire)
    assert stamp_ns == STAMP_NS
    assert (frame.encoding, frame.width, frame.height, frame.step) == (encoding, 3, 4, 9)
    assert bytes(frame.data) == PIXELS.tobytes()
    assert not frame.big_endian


def test_pixels_are_a_view_of_the_message() -> None:
    data = bags.serialize(READERS["image"][0])
    _, frame = read("image", data)
    assert isinstance(frame.data, memoryview)
    assert frame.data.obj is data


@pytest.mark.parametrize(
    ("picture", "layout", "encoding", "content"),
    [
        (JPEG, "rgb8; jpeg compressed bgr8", "jpeg", JPEG),
        (PNG, "bgr8; png compressed bgr8", "png", PNG),
        (JPEG, "png", "jpeg", JPEG),
        (bytes(12) + PNG, "16UC1; compressedDepth png", "png", PNG),
    ],
)
def test_compressed_images_are_told_by_their_bytes(
    picture: bytes, layout: str, encoding: str, content: bytes
) -> None:
    message = bags.compressed_image("/c", 0, picture, layout, stamp_ns=STAMP_NS)
    stamp_ns, frame = read("compressed", bags.serialize(message))
    assert (stamp_ns, frame.encoding, bytes(frame.data)) == (STAMP_NS, encoding, content)


@pytest.mark.parametrize(
    ("picture", "layout", "cause"),
    [
        (b"RIFF....WEBP", "webp", "neither JPEG nor PNG"),
        (b"", "jpeg", "neither JPEG nor PNG"),
        (bytes(12) + PNG, "32FC1; compressedDepth png", "impossible size of a depth picture"),
    ],
)
def test_other_compression_is_a_cause(picture: bytes, layout: str, cause: str) -> None:
    message = bags.compressed_image("/c", 0, picture, layout)
    with pytest.raises(DecodeError, match=cause):
        read("compressed", bags.serialize(message))


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (bags.imu("/imu", 0, VALUES, acceleration_covariance=-1.0), "no acceleration"),
        (bags.imu("/imu", 0, VALUES, gyro_covariance=-1.0), "no angular velocity"),
    ],
)
def test_quantities_the_driver_lacks_are_a_cause(message: Message, cause: str) -> None:
    with pytest.raises(DecodeError, match=cause):
        read("imu", bags.serialize(message))


def test_values_that_are_not_finite_are_delivered() -> None:
    message = bags.imu("/imu", 0, (np.nan, np.inf, 1, 2, 3, 4))
    _, row = read("imu", bags.serialize(message))
    assert np.isnan(row[0])
    assert np.isinf(row[1])


def test_audio_and_its_format() -> None:
    samples = np.arange(-5, 5, dtype=np.int16)
    stamp_ns, sound = read("audio", bags.serialize(bags.audio("/a", 3, samples)))
    assert stamp_ns == 3
    assert bytes(sound.octets) == samples.tobytes()
    assert sound.layout is None
    info = bags.audio_info("/i", 0, rate_hz=44_100, channels=2)
    assert read_audio_info(bags.serialize(info), "cdr") == (2, 44_100, "S16LE", "wave")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x00\x01\x00",
        b"\x00\x07\x00\x00" + bytes(400),  # XCDR2
        b"\x28\xb5\x2f\xfd" + bytes(400),
    ],
)
def test_unknown_encapsulation_is_a_cause(data: bytes) -> None:
    for kind in READERS:
        with pytest.raises(DecodeError, match=r"unknown encapsulation"):
            read(kind, data)


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("wire", WIRES)
def test_every_truncation_is_a_cause(kind: str, wire: str) -> None:
    data = bags.serialize(READERS[kind][0], **WIRES[wire])
    for length in range(len(data)):
        with pytest.raises(DecodeError):
            read(kind, data[:length], wire)


@pytest.mark.parametrize("kind", READERS)
def test_more_than_padding_behind_a_message_is_a_cause(kind: str) -> None:
    data = bags.serialize(READERS[kind][0])
    assert read(kind, data + bytes(3)) == read(kind, data)
    with pytest.raises(DecodeError, match="malformed message"):
        read(kind, data + bytes(4))


@given(
    kind=st.sampled_from(sorted(READERS)),
    wire=st.sampled_from(sorted(WIRES)),
    edits=st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=8)), max_size=6),
    cut=st.integers(0, 400),
)
def test_mutated_messages_give_a_message_or_a_cause(
    kind: str, wire: str, edits: list[tuple[int, bytes]], cut: int
) -> None:
    data = bytearray(bags.serialize(READERS[kind][0], **WIRES[wire]))
    for place, piece in edits:
        data[place : place + len(piece)] = piece
    del data[cut or len(data) :]
    with suppress(DecodeError):
        stamp_ns, content = read(kind, bytes(data), wire)
        assert isinstance(stamp_ns, int)
        if kind == "image":
            assert content.step * content.height <= len(content.data) <= len(data)


@given(data=st.binary(max_size=200), kind=st.sampled_from(sorted(READERS)))
def test_random_bytes_are_a_message_or_a_cause(data: bytes, kind: str) -> None:
    for wire in ("cdr", "ros1"):
        with suppress(DecodeError):
            read(kind, b"\x00\x01\x00\x00" + data, wire)


def test_a_huge_length_allocates_nothing() -> None:
    data = bytearray(bags.serialize(READERS["image"][0]))
    length_at = len(data) - PIXELS.nbytes - 4
    assert data[length_at : length_at + 4] == pack("<I", PIXELS.nbytes)
    data[length_at : length_at + 4] = b"\xff\xff\xff\xff"
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match="malformed message"):
            read("image", bytes(data))
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_pixels_fewer_than_step_times_height_are_a_cause() -> None:
    data = bytearray(bags.serialize(READERS["image"][0]))
    height_at = data.index(pack("<II", 4, 3))
    data[height_at : height_at + 4] = pack("<I", 5)
    with pytest.raises(DecodeError, match="fewer pixels than step times height"):
        read("image", bytes(data))


def test_stamp_with_too_many_nanoseconds_is_a_cause() -> None:
    data = bytearray(bags.serialize(READERS["imu"][0]))
    data[8:12] = pack("<I", 1_000_000_000)
    with pytest.raises(DecodeError, match="malformed message"):
        read("imu", bytes(data))


def test_fields_are_aligned_from_the_byte_after_the_encapsulation() -> None:
    # By the CDR rules: a byte at 0, a 16-bit integer at 2, a 32-bit one at 4, a 64-bit one at 8.
    body = bytes([7, 0xAA]) + pack("<H", 300) + pack("<I", 70_000) + pack("<Q", 5_000_000_000)
    cursor = Cursor(b"\x00\x01\x00\x00" + body, "cdr")
    assert (cursor.uint8(), cursor.uint16()) == (7, 300)
    assert (cursor.uint32(), cursor.uint64()) == (70_000, 5_000_000_000)
    packed = Cursor(bytes([7]) + pack("<HIQ", 300, 70_000, 5_000_000_000), "ros1")
    assert (packed.uint8(), packed.uint16()) == (7, 300)
    assert (packed.uint32(), packed.uint64()) == (70_000, 5_000_000_000)


@given(kind=st.sampled_from(["imu", "image", "compressed"]), data=st.data())
def test_what_rosbags_reads_is_read_alike(kind: str, data: st.DataObject) -> None:
    """Flip one byte; where both accept the result, they must see the same message."""
    message, _ = READERS[kind]
    raw = bytearray(bags.serialize(message))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    try:
        stamp_ns, content = read(kind, bytes(raw))
        other: Any = bags.type_store().deserialize_cdr(bytes(raw), message.message_type)
    except Exception:  # noqa: BLE001 - whatever rosbags raises; ours are checked above
        return
    stamp = other.header.stamp
    assert stamp_ns == stamp.sec * 1_000_000_000 + stamp.nanosec
    if kind == "imu":
        acceleration, gyro = other.linear_acceleration, other.angular_velocity
        values = [getattr(v, axis) for v in (acceleration, gyro) for axis in "xyz"]
        np.testing.assert_array_equal(content, values)
    elif kind == "image":
        assert bytes(content.data) == other.data.tobytes()
        assert (content.width, content.height) == (other.width, other.height)
    else:
        assert bytes(content.data) == other.data.tobytes()


@pytest.mark.parametrize("size_told", [True, False])
def test_zstd_is_undone_whatever_its_ratio(size_told: bool) -> None:
    for content in (bytes(5_000_000), bytes(range(256)) * 10, b""):
        packer = zstandard.ZstdCompressor(write_content_size=size_told).compressobj(
            size=len(content) if size_told else -1
        )
        packed = packer.compress(content) + packer.flush()
        assert unpacked_zstd(packed, 5_000_000) == content
        if content:
            with pytest.raises(DecodeError, match="damaged compression"):
                unpacked_zstd(packed, len(content) - 1)
            with pytest.raises(DecodeError, match="damaged compression"):
                unpacked_zstd(packed[:-1], 5_000_000)


def test_what_a_damaged_zstd_frame_claims_is_not_allocated() -> None:
    packed = bytearray(zstandard.ZstdCompressor().compress(bytes(5_000_000)))
    size_at = packed.index(pack("<I", 5_000_000))
    packed[size_at : size_at + 4] = pack("<I", 200_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match="damaged compression"):
            unpacked_zstd(bytes(packed), 1 << 28)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
