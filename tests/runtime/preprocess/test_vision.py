# SPDX-License-Identifier: Apache-2.0
"""Vision features equal the definition, computed plainly with Pillow and float64."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sensebind.errors import InputError
from sensebind.preprocess.pictures import PIXEL_LIMIT, decode_frame
from sensebind.preprocess.vision import VisionPreprocessor, fit_picture
from sensebind.specs import VisionSpec
from sensebind.types import Frame, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def frame_of(pixels: NDArray[np.uint8]) -> Frame:
    height, width = pixels.shape[:2]
    return Frame(pixels.tobytes(), "rgb8", width, height, 3 * width)


def window_of(*frames: Frame) -> Window:
    return Window("cam", 0, 0, 0, 0, 1.0, np.empty(0, np.int64), np.empty((0, 0)), frames)


def decoded(frame: Frame) -> NDArray[np.uint8]:
    image = decode_frame(frame)
    assert image.mode == "RGB"
    return np.asarray(image)


def encoded(pixels: NDArray[np.uint8], form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, **options)
    return stream.getvalue()


@pytest.mark.parametrize("fit", ["stretch", "short_side_crop"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(48, 64), (65, 40), (33, 33), (20, 16)])
def test_equals_the_definition(fit: Any, interpolation: Any, size: tuple[int, int]) -> None:
    spec = VisionSpec(
        size=24, resize_to=28, mean=MEAN, std=STD, fit=fit, interpolation=interpolation
    )
    pixels = picture(*size)
    prepared = VisionPreprocessor(spec).prepare(window_of(frame_of(pixels)))
    found = prepared.features["features"]
    image = Image.fromarray(pixels)
    resample = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    if fit == "stretch":
        image = image.resize((24, 24), resample[interpolation])
    else:
        height, width = size
        scaled = (
            (28, int(28 * height / width)) if width <= height else (int(28 * width / height), 28)
        )
        image = image.resize(scaled, resample[interpolation])
        left, top = round((scaled[0] - 24) / 2), round((scaled[1] - 24) / 2)
        image = image.crop((left, top, left + 24, top + 24))
    expected = (np.asarray(image) / 255 - MEAN) / STD
    assert prepared.valid_fraction == 1.0
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, expected.transpose(2, 0, 1), rtol=1e-5, atol=1e-6)


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([None, 17, 20]))
def test_any_shape_gives_a_square(height: int, width: int, resize_to: int | None) -> None:
    spec = VisionSpec(size=16, resize_to=resize_to, mean=MEAN, std=STD)
    assert fit_picture(np.zeros((height, width, 3), np.uint8), spec).shape == (16, 16, 3)


def test_the_crop_is_in_the_middle() -> None:
    pixels = np.zeros((8, 21, 3), np.uint8)
    pixels[:, :, 0] = np.arange(21)
    spec = VisionSpec(size=8, mean=MEAN, std=STD)
    # (21 - 8) / 2 = 6.5, and halves go to the even neighbour.
    assert fit_picture(pixels, spec)[0, :, 0].tolist() == list(range(6, 14))


@pytest.mark.parametrize("fit", ["stretch", "short_side_crop"])
def test_a_picture_of_the_right_size_is_untouched(fit: Any) -> None:
    pixels = picture(24, 24)
    spec = VisionSpec(size=24, mean=MEAN, std=STD, fit=fit)
    assert np.array_equal(fit_picture(pixels, spec), pixels)


def test_several_frames_are_stacked_and_one_is_repeated() -> None:
    spec = VisionSpec(size=24, mean=MEAN, std=STD, frame_positions=(0.0, 1.0))
    preprocessor = VisionPreprocessor(spec, input_name="pixels")
    first, second = frame_of(picture(30, 40, 1)), frame_of(picture(30, 40, 2))
    both = preprocessor.prepare(window_of(first, second)).features["pixels"]
    once = preprocessor.prepare(window_of(second)).features["pixels"]
    assert both.shape == (2, 3, 24, 24)
    assert np.array_equal(once, np.stack([both[1], both[1]]))
    with pytest.raises(InputError, match="has 3 frames, expected 2"):
        preprocessor.prepare(window_of(first, first, first))
    with pytest.raises(InputError, match="has 0 frames, expected 2"):
        preprocessor.prepare(window_of())


def test_a_crop_larger_than_the_picture_is_refused() -> None:
    with pytest.raises(InputError, match="short side to 20 pixels and then crops 24"):
        VisionPreprocessor(VisionSpec(size=24, resize_to=20, mean=MEAN, std=STD))


def test_a_picture_too_long_to_resize_is_refused() -> None:
    ribbon = Frame(bytes(3 * 60_000), "rgb8", 60_000, 1)
    preprocessor = VisionPreprocessor(VisionSpec(size=224, mean=MEAN, std=STD))
    with pytest.raises(InputError, match=r"60000 x 1 pixels would be resized to 13440000 x 224"):
        preprocessor.prepare(window_of(ribbon))


def test_the_stream_may_tell_the_pixel_format() -> None:
    pixels = picture(24, 24)
    wrong = Frame(pixels[:, :, ::-1].tobytes(), "rgb8", 24, 24)
    spec = VisionSpec(size=24, mean=MEAN, std=STD)
    found = VisionPreprocessor(spec, pixel_format="bgr8").prepare(window_of(wrong))
    expected = VisionPreprocessor(spec).prepare(window_of(frame_of(pixels)))
    assert np.array_equal(found.features["features"], expected.features["features"])


@pytest.mark.parametrize(
    ("encoding", "order"),
    [("rgb8", (0, 1, 2)), ("bgr8", (2, 1, 0)), ("rgba8", (0, 1, 2, 3)), ("bgra8", (2, 1, 0, 3))],
)
@pytest.mark.parametrize("padding", [0, 5])
def test_raw_encodings_are_read_row_by_row(
    encoding: str, order: tuple[int, ...], padding: int
) -> None:
    pixels = picture(7, 5)
    alpha = np.full((7, 5, 1), 9, np.uint8)
    stored = np.concatenate([pixels, alpha], axis=2)[:, :, order]
    rows = [row.tobytes() + b"\xee" * padding for row in stored]
    step = 5 * len(order) + padding
    data = b"".join(rows)
    assert np.array_equal(decoded(Frame(data, encoding, 5, 7, step)), pixels)
    longer = Frame(data + bytes(100), encoding, 5, 7, step)
    assert np.array_equal(decoded(longer), pixels)
    # Drivers may leave out the padding of the last row.
    short = Frame(memoryview(data)[: step * 7 - padding], encoding, 5, 7, step)
    assert np.array_equal(decoded(short), pixels)


def test_grey_is_repeated() -> None:
    grey = picture(4, 6)[:, :, 0]
    found = decoded(Frame(grey.tobytes(), "mono8", 6, 4))
    assert np.array_equal(found, np.repeat(grey[:, :, None], 3, axis=2))


def test_png_is_exact_and_jpeg_is_pillows() -> None:
    pixels = picture(20, 30)
    assert np.array_equal(decoded(Frame(encoded(pixels, "PNG"), "png")), pixels)
    data = encoded(pixels, "JPEG", quality=90)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.array_equal(decoded(Frame(data, "jpeg")), expected)
    # Drivers label one as the other; the bytes decide.
    assert np.array_equal(decoded(Frame(data, "png")), expected)


def test_other_8_bit_modes_become_rgb() -> None:
    grey = picture(5, 5)[:, :, 0]
    found = decoded(Frame(encoded(grey, "PNG"), "png"))
    assert np.array_equal(found, np.repeat(grey[:, :, None], 3, axis=2))
    stream = io.BytesIO()
    Image.fromarray(picture(5, 5)).convert("P").save(stream, "PNG")
    assert decoded(Frame(stream.getvalue(), "png")).shape == (5, 5, 3)


def test_pictures_stand_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    data = encoded(np.zeros((10, 20, 3), np.uint8), "JPEG", exif=exif)
    assert decoded(Frame(data, "jpeg")).shape == (20, 10, 3)


def claiming_png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header
    checksum = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + chunk + checksum + struct.pack(">I", 0) + b"IDAT" + b"\0" * 4


@pytest.mark.parametrize("side", [7100, 9800, 15_000, 60_000])
def test_pictures_that_claim_too_much_are_not_decoded(side: int) -> None:
    assert side * side > PIXEL_LIMIT
    with pytest.raises(InputError, match=r"at most 50000000( pixels)? are decoded"):
        decoded(Frame(claiming_png(side, side), "png"))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (Frame(b"", "hsv8", 2, 2, 4), r"encoding 'hsv8' cannot .* decodes jpeg, png, rgb8, .*yuv"),
        (Frame(b"", "16UC1", 2, 2, 4), r"encoding '16UC1' cannot"),
        (Frame(bytes(12), "rgb8", 0, 2, 6), r"says 0 x 2 pixels in rows of 6 bytes; expected"),
        (Frame(bytes(12), "rgb8", 2, -1, 6), r"says 2 x -1 pixels"),
        (Frame(bytes(12), "rgb8", 2, 2, 5), r"rows of 5 bytes; expected .* rows of 6 bytes"),
        (Frame(bytes(11), "rgb8", 2, 2, 6), r"has 11 bytes, expected 12"),
        (Frame(b"no picture", "jpeg"), r"jpeg frame of 10 bytes is neither JPEG nor PNG"),
        (Frame(b"", "png"), r"png frame of 0 bytes is neither"),
        (Frame(claiming_png(9, 9), "png"), r"png frame of 45 bytes is damaged"),
        (Frame(encoded(picture(90, 90), "JPEG")[:999], "jpeg"), r"is damaged: .*truncated"),
    ],
)
def test_bad_frames_are_named(frame: Frame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decoded(frame)


def test_sixteen_bit_pictures_are_refused() -> None:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(stream, "PNG")
    with pytest.raises(InputError, match=r"mode 'I;16' .* depth images belong to the depth"):
        decoded(Frame(stream.getvalue(), "png"))


@given(st.data())
def test_damaged_files_never_crash(data: st.DataObject) -> None:
    content = bytearray(encoded(picture(12, 12), data.draw(st.sampled_from(["PNG", "JPEG"]))))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    try:
        found = decoded(Frame(bytes(content), "png"))
    except InputError:
        return
    assert found.dtype == np.uint8
    assert found.shape[2] == 3
