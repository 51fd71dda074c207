# SPDX-License-Identifier: Apache-2.0
"""Compressed depth against an encoder written from the paper and the transport's format."""

from __future__ import annotations

import io
from struct import pack
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sensebind.sources.messages.compressed_depth import depth_frame, unpacked_rvl
from sensebind.sources.messages.wire import DecodeError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def packed_rvl(pixels: list[int]) -> bytes:
    """RVL, one number after the other: zeros, others, differences as nibbles of three bits."""
    nibbles: list[int] = []

    def put(number: int) -> None:
        while True:
            rest = number >> 3
            nibbles.append(number & 7 | (8 if rest else 0))
            number = rest
            if not number:
                return

    place, before = 0, 0
    while place < len(pixels):
        begin = place
        while place < len(pixels) and pixels[place] == 0:
            place += 1
        put(place - begin)
        begin = place
        while place < len(pixels) and pixels[place] != 0:
            place += 1
        put(place - begin)
        for pixel in pixels[begin:place]:
            difference = pixel - before
            put(2 * difference if difference >= 0 else -2 * difference - 1)
            before = pixel
    nibbles += [0] * (-len(nibbles) % 8)
    words = [
        sum(nibble << 4 * (7 - k) for k, nibble in enumerate(nibbles[place : place + 8]))
        for place in range(0, len(nibbles), 8)
    ]
    return pack(f"<{len(words)}I", *words)


def png(counts: NDArray[np.uint16]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(counts).save(stream, "PNG")
    return stream.getvalue()


def frame(layout: str, data: bytes, a: float = 0.0, b: float = 0.0) -> Any:
    return depth_frame(layout, memoryview(pack("<iff", 0, a, b) + data))


COUNTS = np.array([[0, 0, 900], [905, 65535, 0]], np.uint16)


@given(st.lists(st.sampled_from([0, 0, 0, 1, 2, 900, 905, 65535]), max_size=60))
def test_rvl_equals_what_was_packed(pixels: list[int]) -> None:
    if pixels:
        assert unpacked_rvl(packed_rvl(pixels), len(pixels)).tolist() == pixels


def test_rvl_of_whole_counts() -> None:
    data = pack("<ii", 3, 2) + packed_rvl(COUNTS.ravel().tolist())
    got = frame("16UC1; compressedDepth rvl", data)
    assert (got.encoding, got.width, got.height, got.step) == ("16UC1", 3, 2, 6)
    assert bytes(got.data) == COUNTS.tobytes()


@pytest.mark.parametrize("packing", ["png", "rvl"])
def test_metres_are_unfolded(packing: str) -> None:
    a, b = 100.0, 0.5
    data = png(COUNTS)
    if packing == "rvl":
        data = pack("<ii", 3, 2) + packed_rvl(COUNTS.ravel().tolist())
    got = frame(f"32FC1; compressedDepth {packing}", data, a, b)
    assert (got.encoding, got.width, got.height, got.step) == ("32FC1", 3, 2, 12)
    metres = np.frombuffer(got.data, np.float32).reshape(2, 3)
    with np.errstate(divide="ignore"):
        expected = np.where(COUNTS == 0, np.nan, a / (COUNTS - b))
    np.testing.assert_allclose(metres, expected, rtol=1e-6)


@pytest.mark.parametrize("layout", ["16UC1; compressedDepth", "16UC1; compressedDepth png"])
def test_png_of_counts_is_passed_on(layout: str) -> None:
    got = frame(layout, png(COUNTS))
    assert (got.encoding, bytes(got.data)) == ("png", png(COUNTS))


@pytest.mark.parametrize(
    ("layout", "data", "cause"),
    [
        ("16UC1; compressedDepth", b"RIFF", "neither PNG nor RVL"),
        ("32FC1; compressedDepth png", png(COUNTS)[:20], "damaged PNG"),
        ("32FC1; compressedDepth png", png(COUNTS)[:50], "damaged PNG"),
        ("32FC1; compressedDepth png", png(COUNTS.astype(np.uint8)), "without 16-bit pixels"),
        ("16UC1; compressedDepth rvl", b"", "malformed"),
        ("16UC1; compressedDepth rvl", pack("<ii", 3, 2), "damaged RVL"),
        ("16UC1; compressedDepth rvl", pack("<ii", -3, 2), "impossible size"),
        ("16UC1; compressedDepth rvl", pack("<ii", 1 << 16, 1 << 16), "impossible size"),
        ("16UC1; compressedDepth rvl", pack("<ii", 3, 2) + bytes(40), "damaged RVL"),
        ("16UC1; compressedDepth rvl", pack("<ii", 3, 2) + b"\xff" * 400, "damaged RVL"),
        ("16UC1; compressedDepth rvl", pack("<iiI", 3, 2, 0x7F000000), "damaged RVL"),
    ],
)
def test_damaged_pictures_are_a_cause(layout: str, data: bytes, cause: str) -> None:
    with pytest.raises(DecodeError, match=cause):
        frame(layout, data)


def test_a_short_message_is_a_cause() -> None:
    with pytest.raises(DecodeError, match="malformed"):
        depth_frame("16UC1; compressedDepth", memoryview(b"abc"))
