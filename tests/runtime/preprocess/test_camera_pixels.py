# SPDX-License-Identifier: Apache-2.0
"""Raw camera encodings equal their definition, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from sensebind.errors import InputError
from sensebind.preprocess.camera_pixels import camera_pixels
from sensebind.preprocess.pictures import decode_frame
from sensebind.types import Frame

RNG = np.random.default_rng(0)


def bt601(luma: int, u: int, v: int) -> list[float]:
    """RGB 0 to 255 of video-range YUV (ITU-R BT.601)."""
    y = max(luma - 16, 0) / 219
    blue, red = (u - 128) / 224, (v - 128) / 224
    colours = (
        y + 1.402 * red,
        y - (0.299 * 1.402 * red + 0.114 * 1.772 * blue) / 0.587,
        y + 1.772 * blue,
    )
    return [min(max(c, 0.0), 1.0) * 255 for c in colours]


@pytest.mark.parametrize(
    ("encoding", "layout"),
    [("yuv422", "uyvY"), ("uyvy", "uyvY"), ("yuv422_yuy2", "yuYv"), ("yuyv", "yuYv")],
)
def test_yuv_is_bt601(encoding: str, layout: str) -> None:
    stored = RNG.integers(0, 256, (5, 3, 4), dtype=np.uint8)
    padded = b"".join(row.tobytes() + b"\xee" * 3 for row in stored)
    found = camera_pixels(Frame(padded, encoding, 6, 5, 15))
    assert found.dtype == np.uint8
    for row in range(5):
        for pair in range(3):
            value = dict(zip(layout, stored[row, pair].tolist(), strict=True))
            for i, luma in enumerate("yY"):
                expected = bt601(value[luma], value["u"], value["v"])
                np.testing.assert_allclose(found[row, 2 * pair + i], expected, atol=0.51)


@pytest.mark.parametrize(("luma", "grey"), [(16, 0), (235, 255), (126, 128), (0, 0), (255, 255)])
def test_yuv_without_colour_is_grey(luma: int, grey: int) -> None:
    stored = np.array([[[128, luma, 128, luma]]], np.uint8)
    assert camera_pixels(Frame(stored.tobytes(), "yuv422", 2, 1)).tolist() == [[[grey] * 3] * 2]


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_a_bayer_cell_is_one_pixel(pattern: str) -> None:
    stored = RNG.integers(0, 256, (7, 9), dtype=np.uint8)
    found = camera_pixels(Frame(stored.tobytes(), f"bayer_{pattern}8", 9, 7))
    assert found.shape == (3, 4, 3)
    for row in range(3):
        for column in range(4):
            cell = stored[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].reshape(-1).tolist()
            value: dict[str, list[int]] = {colour: [] for colour in "rgb"}
            for colour, count in zip(pattern, cell, strict=True):
                value[colour].append(count)
            expected = [value["r"][0], (sum(value["g"]) + 1) // 2, value["b"][0]]
            assert found[row, column].tolist() == expected


@pytest.mark.parametrize(
    ("encoding", "order"),
    [
        ("rgb16", (0, 1, 2)),
        ("bgr16", (2, 1, 0)),
        ("rgba16", (0, 1, 2, 3)),
        ("bgra16", (2, 1, 0, 3)),
    ],
)
@pytest.mark.parametrize("big_endian", [False, True])
def test_sixteen_bits_are_scaled_to_eight(
    encoding: str, order: tuple[int, ...], big_endian: bool
) -> None:
    pixels = RNG.integers(0, 65536, (4, 5, 4), dtype=np.uint16)
    stored = pixels[:, :, order].astype(">u2" if big_endian else "<u2")
    found = camera_pixels(Frame(stored.tobytes(), encoding, 5, 4, big_endian=big_endian))
    assert np.array_equal(found, np.rint(pixels[:, :, :3] * (255 / 65535)))


def test_sixteen_bit_grey_is_repeated() -> None:
    grey = np.array([[0, 128, 129, 65535]], np.uint16)
    picture = decode_frame(Frame(grey.tobytes(), "mono16", 4, 1))
    assert picture.mode == "RGB"
    assert np.asarray(picture)[0, :, 1].tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (Frame(bytes(12), "yuv422", 3, 2, 6), r"is 3 pixels wide, expected an even number"),
        (Frame(bytes(7), "yuv422", 2, 2, 4), r"has 7 bytes, expected 8"),
        (Frame(bytes(5), "bayer_rggb8", 5, 1), r"5 x 1 pixels, expected at least one cell of 2 x"),
        (Frame(bytes(11), "rgb16", 2, 1), r"has 11 bytes, expected 12"),
        (Frame(bytes(11), "mono16", -1, 1), r"says -1 x 1 pixels"),
    ],
)
def test_bad_frames_are_named(frame: Frame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode_frame(frame)
