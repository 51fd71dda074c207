# SPDX-License-Identifier: Apache-2.0
"""Thermal features equal the definition, computed plainly in float64 and with Pillow."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sensebind.calibration import UNCALIBRATED
from sensebind.config import StreamConfig
from sensebind.errors import ConfigError, InputError
from sensebind.preprocess.thermal import UNITS, ThermalPreprocessor, ToKelvin, make, thermal_grey
from sensebind.specs import EncoderSpec, TensorSpec, ThermalSpec, WindowSpec
from sensebind.types import Frame, Modality, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLAIN = ThermalSpec(size=12)
WARM = ThermalSpec(size=12, range_c=(10.0, 40.0))
CENTIKELVIN = ToKelvin(0.01)


def counts(height: int = 30, width: int = 40, seed: int = 0) -> NDArray[np.uint16]:
    """Centikelvin of a room of about 20 degrees with a warm body."""
    rng = np.random.default_rng(seed)
    kelvin = 293 + rng.normal(0, 2, (height, width))
    kelvin[height // 3 : height // 2, width // 3 : width // 2] += 14
    pixels: NDArray[np.uint16] = (kelvin * 100).astype(np.uint16)
    return pixels


def window_of(*frames: Frame) -> Window:
    return Window("thermal", 0, 0, 0, 0, 1.0, np.empty(0, np.int64), np.empty((0, 0)), frames)


def frame_of(pixels: NDArray[Any], encoding: str = "16UC1", **told: Any) -> Frame:
    height, width = pixels.shape
    return Frame(pixels.tobytes(), encoding, width, height, **told)


def file_of(pixels: NDArray[Any], form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form)
    return stream.getvalue()


def prepared(frame: Frame, spec: ThermalSpec = PLAIN, **options: Any) -> NDArray[np.float32]:
    encoder = EncoderSpec(
        onnx="thermal.onnx",
        inputs=(TensorSpec(name="heat", dtype="float32", shape=("batch", 1, 12, 12)),),
        output=TensorSpec(name="embedding", dtype="float32", shape=("batch", 8)),
        preprocess=spec,
        window=WindowSpec(length_s=0.5, hop_s=0.5),
    )
    stream = StreamConfig(modality=Modality.THERMAL, **options)
    features: NDArray[np.float32] = (
        make(encoder, stream, UNCALIBRATED).prepare(window_of(frame)).features["heat"]
    )
    return features


def fitted(grey: NDArray[Any], spec: ThermalSpec) -> NDArray[np.float64]:
    """Short side to 12 pixels with Pillow's bicubic filter, middle, normalised."""
    image = Image.fromarray(grey)
    width, height = image.size
    scaled = (12, 12 * height // width) if width <= height else (12 * width // height, 12)
    left, top = round((scaled[0] - 12) / 2), round((scaled[1] - 12) / 2)
    image = image.resize(scaled, Image.Resampling.BICUBIC)
    pixels = np.asarray(image.crop((left, top, left + 12, top + 12)), np.float64)
    pixels = pixels / 255 if grey.dtype == np.uint8 else pixels.clip(0, 1)
    result: NDArray[np.float64] = (pixels[np.newaxis] - spec.mean) / spec.std
    return result


@pytest.mark.parametrize("size", [(30, 40), (41, 27), (12, 12), (5, 9)])
def test_eight_bits_are_grey_as_they_are(size: tuple[int, int]) -> None:
    grey = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    spec = msgspec.structs.replace(PLAIN, mean=0.4, std=0.3)
    for frame in (frame_of(grey, "mono8"), frame_of(grey, "8UC1"), Frame(file_of(grey), "png")):
        found = prepared(frame, spec)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, fitted(grey, spec), atol=1e-6)


def test_colour_files_are_grey_by_their_luma() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    luma = np.asarray(Image.fromarray(colours).convert("L"))
    found = prepared(Frame(file_of(colours), "png"))
    np.testing.assert_allclose(found, fitted(luma, PLAIN), atol=1e-6)


@pytest.mark.parametrize("size", [(30, 40), (41, 27)])
def test_counts_take_the_window_of_the_manifest(size: tuple[int, int]) -> None:
    pixels = counts(*size)
    celsius = pixels * 0.01 - 273.15
    expected = fitted(((celsius - 10) / 30).clip(0, 1).astype(np.float32), WARM)
    for frame in (frame_of(pixels), frame_of(pixels, "mono16"), Frame(file_of(pixels), "png")):
        found = prepared(frame, WARM, unit="centikelvin")
        np.testing.assert_allclose(found, expected, atol=2e-6)
    floats = frame_of(celsius.astype(np.float32), "32FC1")
    np.testing.assert_allclose(prepared(floats, WARM, unit="celsius"), expected, atol=2e-6)


def test_counts_without_a_window_take_their_own_percentiles() -> None:
    pixels = counts()
    ordered = np.sort(pixels.reshape(-1))
    low, high = (float(ordered[math.ceil(q * ordered.size) - 1]) for q in (0.01, 0.99))
    expected = fitted(((pixels - low) / (high - low)).clip(0, 1).astype(np.float32), PLAIN)
    np.testing.assert_allclose(prepared(frame_of(pixels)), expected, atol=2e-6)
    floats = frame_of(pixels.astype(np.float32), "32FC1")
    np.testing.assert_allclose(prepared(floats), expected, atol=2e-6)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 5), st.floats(0, 60))
def test_counting_equals_sorting(height: int, width: int, seed: int, low: float) -> None:
    pixels = np.random.default_rng(seed).integers(0, 99, (height, width), dtype=np.uint16)
    spec = msgspec.structs.replace(PLAIN, percentiles=(low, 80.0))
    found, _ = thermal_grey(pixels, spec)
    expected, _ = thermal_grey(pixels.astype(np.float32), spec)
    assert np.array_equal(found, expected)


COUNT_AT_20_C = {
    "kelvin": 293.15,
    "decikelvin": 2931.5,
    "centikelvin": 29315,
    "celsius": 20.0,
    "decicelsius": 200.0,
    "centicelsius": 2000.0,
    "tlinear-0.01": 29315,
    "tlinear-0.04": 7328.75,
    "tlinear-0.1": 2931.5,
    "tlinear-0.4": 732.875,
    "optris": 1200.0,
}


@pytest.mark.parametrize("unit", UNITS)
def test_units_are_temperatures(unit: str) -> None:
    count = COUNT_AT_20_C[unit]
    scale, offset = UNITS[unit]
    assert count * scale + offset - 273.15 == pytest.approx(20.0, abs=1e-9)
    found = prepared(frame_of(np.full((9, 9), count, np.float32), "32FC1"), WARM, unit=unit)
    np.testing.assert_allclose(found, 1 / 3, atol=1e-4)


def test_what_the_stream_says_goes_before_the_frame() -> None:
    frame = frame_of(counts(), scale=0.01)
    expected = prepared(frame_of(counts()), WARM, unit="centikelvin")
    assert np.array_equal(prepared(frame, WARM), expected)
    assert np.array_equal(prepared(frame_of(counts()), WARM, scale=0.01, offset=0.0), expected)
    shifted = prepared(frame, WARM, scale=0.01, offset=3.0)
    np.testing.assert_allclose(shifted - expected, 0.1, atol=0.01)
    with pytest.raises(InputError, match="takes temperatures"):
        prepared(frame, WARM, unit="counts")
    assert np.array_equal(prepared(frame, unit="counts"), prepared(frame_of(counts())))


def test_what_is_no_temperature_is_black_and_counted() -> None:
    kelvin = np.full((4, 5), 300.0, np.float32)
    kelvin[0] = [np.nan, np.inf, -np.inf, 0.0, -7.0]
    grey, valid = thermal_grey(kelvin, WARM, UNITS["kelvin"])
    assert valid == pytest.approx(15 / 20)
    assert not grey[0].any()
    np.testing.assert_allclose(grey[1:], (300 - 283.15) / 30, rtol=1e-6)
    # Without a scale, counts of 0 and below are as good as others.
    grey, valid = thermal_grey(kelvin, PLAIN)
    assert valid == pytest.approx(17 / 20)
    grey, valid = thermal_grey(np.full((3, 3), np.nan, np.float32), PLAIN)
    assert valid == 0.0
    assert not grey.any()


def test_a_frame_of_one_count_is_grey() -> None:
    assert (prepared(frame_of(np.full((9, 9), 77, np.uint16))) == 0.5).all()


def test_byte_order_changes_nothing() -> None:
    swapped = frame_of(counts().astype(">u2"), big_endian=True)
    assert np.array_equal(prepared(swapped), prepared(frame_of(counts())))


def test_several_frames_are_stacked() -> None:
    spec = msgspec.structs.replace(WARM, frame_positions=(0.0, 1.0))
    hot = frame_of(np.full((9, 9), 400.0, np.float32), "32FC1")
    none = frame_of(np.full((9, 9), np.nan, np.float32), "32FC1")
    found = ThermalPreprocessor(spec, calibration=UNITS["kelvin"]).prepare(window_of(hot, none))
    assert found.features["features"].shape == (2, 1, 12, 12)
    assert found.features["features"][:, 0, 5, 5].tolist() == [1.0, 0.0]
    assert found.valid_fraction == 0.5


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (frame_of(counts()), {}, r"takes temperatures, .* unit=UNIT \(kelvin, .* or scale=KELVIN"),
        (frame_of(counts(), scale=-1.0), {}, r"thermal scale is -1.0 kelvin per count"),
        (frame_of(counts(), scale=math.nan), {}, r"thermal scale is nan kelvin"),
        (Frame(bytes(9), "mono8", 3, 3), {"scale": 0.1}, r"8-bit pixels, which are grey already"),
        (Frame(bytes(9), "hsv8", 3, 3), {}, r"image encoding 'hsv8' cannot be used"),
        (Frame(bytes(17), "16UC1", 3, 3), {}, r"has 17 bytes, expected 18"),
        (Frame(bytes(9), "png"), {}, r"png frame of 9 bytes is neither JPEG nor PNG"),
    ],
)
def test_bad_frames_are_named(frame: Frame, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepared(frame, WARM, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "kelvin", "scale": 0.1}, r"unit='kelvin' and a scale or an offset; give one"),
        ({"unit": "mm"}, r"unit='mm' is no unit of thermal pictures; expected one of counts, kel"),
        ({"offset": 3.0}, r"has offset=3 and no scale; give scale=KELVIN_PER_COUNT too"),
    ],
)
def test_bad_stream_settings_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        prepared(frame_of(counts()), **options)


def test_bad_pictures_and_specs_are_named() -> None:
    with pytest.raises(InputError, match=r"is uint8 \(3, 3\), expected uint16 or float32"):
        thermal_grey(np.zeros((3, 3), np.uint8), PLAIN)
    with pytest.raises(InputError, match=r"is uint16 \(0, 3\), .* at least one pixel"):
        thermal_grey(np.zeros((0, 3), np.uint16), PLAIN)
    for changes in ({"range_c": (40.0, 10.0)}, {"percentiles": (50.0, 50.0)}):
        spec = msgspec.structs.replace(PLAIN, **changes)
        with pytest.raises(InputError, match=r"expected rising ones; mend the bundle"):
            ThermalPreprocessor(spec)
    with pytest.raises(InputError, match="short side to 8 pixels and then crops 12"):
        ThermalPreprocessor(msgspec.structs.replace(PLAIN, resize_to=8))
