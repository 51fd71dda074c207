# SPDX-License-Identifier: Apache-2.0
"""Depth features equal the definition, computed plainly in float64, pixel by pixel."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sensebind.calibration import UNCALIBRATED
from sensebind.config import StreamConfig
from sensebind.errors import ConfigError, InputError
from sensebind.preprocess import depth_features
from sensebind.preprocess.depth import LEAST_WEIGHT, DepthPreprocessor, make
from sensebind.specs import DepthSpec, EncoderSpec, TensorSpec, WindowSpec
from sensebind.types import Frame, Modality, Window

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

METRIC = DepthSpec(size=12, representation="metric", mean=1.5, std=0.7, range_m=(0.1, 8.0))
DISPARITY = DepthSpec(size=12, representation="disparity", mean=0.0418, std=0.0295, focal_px=525.0)
ROOM = np.array([[800, 900, 0], [65535, 1200, 1300], [1250, 7, 1400]], np.uint16)


def with_(spec: DepthSpec, **changes: Any) -> DepthSpec:
    return msgspec.structs.replace(spec, **changes)


def room(height: int, width: int, seed: int = 0) -> NDArray[np.uint16]:
    """Millimetres: a smooth room with patches and single pixels of holes, too near and too far."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    depth = 2000 + 900 * np.sin(x / 9) + 700 * np.cos(y / 7) + rng.normal(0, 20, (height, width))
    kind = rng.random((height, width))
    depth[kind < 0.2] = 0
    depth[kind > 0.97] = 60_000
    depth[(kind > 0.94) & (kind < 0.97)] = 5
    depth[: height // 3, : width // 4] = 0
    pixels: NDArray[np.uint16] = depth.astype(np.uint16)
    return pixels


def places(source: int, resized: int, size: int) -> list[float]:
    """Where the pixels of the crop lie in the source."""
    start = round((resized - size) / 2)
    return [(start + i + 0.5) * source / resized - 0.5 for i in range(size)]


def value_of(metres: float, spec: DepthSpec, focal: float | None) -> float | None:
    """Value of one pixel, None for a hole."""
    low, high = spec.range_m
    if not (math.isfinite(metres) and metres > 0):
        return None
    if not low * (1 - 1e-7) <= metres <= high * (1 + 1e-7):
        if spec.out_of_range == "hole":
            return None
        metres = min(max(metres, low), high)
    if spec.representation == "metric":
        return metres
    assert focal is not None
    return spec.baseline_m * focal / metres


def oracle(
    depth: NDArray[Any], spec: DepthSpec, scale: float, focal: float | None = None
) -> tuple[NDArray[np.float64], float]:
    """Features and valid fraction as the module's docstring defines them."""
    height, width = depth.shape
    short, size = spec.resize_to or spec.size, spec.size
    resized = (
        (short, int(short * height / width)) if width <= height else
        (int(short * width / height), short)
    )  # fmt: skip
    focal = spec.focal_px if focal is None else focal
    if focal is not None and spec.focal_of == "features":
        focal *= short / min(height, width)
    values = [[value_of(float(q) * scale, spec, focal) for q in row] for row in depth]
    out, seen = np.full((1, size, size), spec.hole), 0.0
    for r, y in enumerate(places(height, resized[1], size)):
        for c, x in enumerate(places(width, resized[0], size)):
            total = weight = 0.0
            if spec.interpolation == "nearest":
                neighbours = [(math.floor(y + 0.5), math.floor(x + 0.5), 1.0)]
            else:
                y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
                i, j = math.floor(y), math.floor(x)
                neighbours = [
                    (i + a, j + b, abs(1 - a - (y - i)) * abs(1 - b - (x - j)))
                    for a in (0, 1)
                    for b in (0, 1)
                ]
            for i, j, share in neighbours:
                value = values[i][j] if share > 0 else None
                if value is not None:
                    total, weight = total + share * value, weight + share
            if weight >= LEAST_WEIGHT:
                out[0, r, c] = total / weight
            seen += weight
    return (out - spec.mean) / spec.std, seen / size**2


def assert_equals_oracle(
    depth: NDArray[Any], spec: DepthSpec, scale: float, focal: float | None = None
) -> None:
    found, valid = depth_features(depth, spec, scale=scale, focal_px=focal)
    expected, expected_valid = oracle(depth, spec, scale, focal)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    # The normalisation takes the mean off, so the error is that of float32 values before it.
    largest = np.abs(expected).max() + abs(spec.mean / spec.std)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-6 * largest)
    assert valid == pytest.approx(expected_valid, abs=6e-5)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("out_of_range", ["hole", "clip"])
@pytest.mark.parametrize("spec", [METRIC, DISPARITY], ids=["metric", "disparity"])
@pytest.mark.parametrize(
    "size", [(30, 40), (41, 27), (12, 12), (13, 12), (5, 9), (1, 1), (1, 7), (200, 2)]
)
def test_equals_the_definition(
    interpolation: str, out_of_range: str, spec: DepthSpec, size: tuple[int, int]
) -> None:
    spec = with_(spec, interpolation=interpolation, out_of_range=out_of_range)
    assert_equals_oracle(room(*size), spec, 0.001)


@settings(max_examples=60)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    size=st.integers(1, 20),
    more=st.integers(0, 6),
    seed=st.integers(0, 9),
    floats=st.booleans(),
)
def test_any_size_equals_the_definition(
    height: int, width: int, size: int, more: int, seed: int, floats: bool
) -> None:
    spec = with_(DISPARITY, size=size, resize_to=size + more, focal_of="features", hole=0.01)
    depth = room(height, width, seed)
    pixels = (depth * 0.001).astype(np.float32) if floats else depth
    assert_equals_oracle(pixels, spec, 1.0 if floats else 0.001, focal=300.0)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_floats_that_are_no_depth_are_holes(interpolation: str) -> None:
    depth = (room(30, 40) * 0.001).astype(np.float32)
    for i, bad in enumerate([np.nan, np.inf, -np.inf, -1.0, -0.0, 1e-42, 3e38]):
        depth[i::9, i::7] = bad
    spec = with_(METRIC, interpolation=interpolation)
    assert_equals_oracle(depth, spec, 1.0)
    # What is not finite or positive is no depth to clip either.
    depth[~(depth > 0.1)] = np.nan
    assert_equals_oracle(depth, with_(spec, out_of_range="clip"), 1.0)
    for bad in (np.nan, np.inf, -np.inf, -1.0, 0.0):
        only = np.full((9, 9), bad, np.float32)
        features, valid = depth_features(only, with_(spec, out_of_range="clip", hole=2.2))
        assert valid == 0.0
        np.testing.assert_allclose(features, (2.2 - 1.5) / 0.7, rtol=1e-6)


def test_a_constant_depth_stays_constant_beside_holes() -> None:
    depth = np.full((61, 83), 2000, np.uint16)
    depth[np.random.default_rng(1).random((61, 83)) < 0.3] = 0
    features, valid = depth_features(depth, METRIC)
    assert 0.6 < valid < 0.8
    measured = np.abs(features - (2.0 - 1.5) / 0.7) < 1e-6
    assert measured.mean() > valid
    np.testing.assert_allclose(features[~measured], (0.0 - 1.5) / 0.7, rtol=1e-6)


def test_without_holes_all_is_valid() -> None:
    assert depth_features(np.full((47, 63), 1000, np.uint16), METRIC)[1] == 1.0


def test_a_hole_stays_one_until_a_neighbour_weighs_enough() -> None:
    """A picture of the same size takes each pixel by itself."""
    depth = np.zeros((12, 12), np.uint16)
    depth[3, 4] = 1500
    features, valid = depth_features(depth, METRIC)
    assert np.flatnonzero(features == 0.0).tolist() == [3 * 12 + 4]
    assert valid == round(1 / 144, 4)


def test_both_ends_of_the_range_are_measured() -> None:
    depth = np.array([[99, 100, 8000, 8001]], np.uint16)
    spec = with_(METRIC, size=1, mean=0.0, std=1.0)
    found = [float(depth_features(depth[:, i : i + 1], spec)[0][0, 0, 0]) for i in range(4)]
    assert found == pytest.approx([0.0, 0.1, 8.0, 0.0])


def test_disparity_is_that_of_the_resized_picture_if_asked_for() -> None:
    """The same scene at half the resolution: half the focal length, the same features."""
    spec = with_(DISPARITY, focal_of="features", baseline_m=1.0)
    fine, coarse = np.full((96, 128), 2500, np.uint16), np.full((48, 64), 2500, np.uint16)
    expected = (400.0 * 12 / 96 / 2.5 - 0.0418) / 0.0295
    for depth, focal in ((fine, 400.0), (coarse, 200.0)):
        found, _ = depth_features(depth, spec, focal_px=focal)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_byte_order_strides_and_alignment_change_nothing() -> None:
    depth = room(30, 40)
    expected, _ = depth_features(depth, DISPARITY)
    odd = np.frombuffer(b"\0" + depth.tobytes(), np.uint8)[1:].view(np.uint16).reshape(30, 40)
    padded = np.zeros((30, 50), np.uint16)
    padded[:, :40] = depth
    for other in (depth.astype(">u2"), odd, padded[:, :40], np.asfortranarray(depth)):
        assert np.array_equal(depth_features(other, DISPARITY)[0], expected)


def test_out_is_filled_and_returned() -> None:
    out = np.empty((1, 12, 12), np.float32)
    found, _ = depth_features(room(30, 40), METRIC, out=out)
    assert found is out
    assert np.array_equal(out, depth_features(room(30, 40), METRIC)[0])


@pytest.mark.parametrize(
    ("depth", "options", "message"),
    [
        ([[1]], {}, r"depth is a list, expected an array uint16 or float32"),
        (np.ones((3, 3), np.uint8), {}, r"depth is uint8 \(3, 3\), expected uint16 or float32"),
        (np.ones((3, 3)), {}, r"depth is float64 \(3, 3\)"),
        (np.ones((3, 3, 1), np.uint16), {}, r"depth is uint16 \(3, 3, 1\)"),
        (np.ones((0, 3), np.uint16), {}, r"depth is uint16 \(0, 3\), .* at least one pixel"),
        (ROOM, {"scale": 0.0}, r"scale is 0.0, expected a positive"),
        (ROOM, {"scale": math.nan}, r"scale is nan"),
        (ROOM, {"scale": 1e12}, r"scale of 1e\+12 metres per count .* 0.001 for millimetres"),
        (ROOM, {"focal_px": -1.0}, r"focal_px is -1.0, expected a positive number of pixels"),
        (ROOM, {"focal_px": math.inf}, r"focal_px is inf"),
        (ROOM, {"out": np.empty((1, 9, 9), np.float32)}, r"out is float32 \(1, 9, 9\), expected"),
        (ROOM, {"out": np.empty((1, 12, 12))}, r"out is float64 \(1, 12, 12\)"),
    ],
)
def test_bad_input_is_named(depth: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        depth_features(depth, DISPARITY, **options)


def test_bad_specs_are_named() -> None:
    with pytest.raises(InputError, match=r"range_m is 2 to 1 m, expected a range"):
        depth_features(ROOM, with_(METRIC, range_m=(2.0, 1.0)))
    with pytest.raises(InputError, match=r"short side to 8 pixels and then crops 12"):
        DepthPreprocessor(with_(METRIC, resize_to=8))
    with pytest.raises(InputError, match=r"need the camera's focal length.*,focal=PIXELS"):
        depth_features(ROOM, with_(DISPARITY, focal_px=None))


# Frames and streams


def png16(depth: NDArray[np.uint16]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(depth).save(stream, "PNG")
    return stream.getvalue()


def window_of(*frames: Frame) -> Window:
    return Window("depth", 0, 0, 0, 0, 1.0, np.empty(0, np.int64), np.empty((0, 0)), frames)


def encoder_of(spec: DepthSpec) -> EncoderSpec:
    shape = ("batch", 1, spec.size, spec.size)
    return EncoderSpec(
        onnx="depth.onnx",
        inputs=(TensorSpec(name="pixels", dtype="float32", shape=shape),),
        output=TensorSpec(name="embedding", dtype="float32", shape=("batch", 8)),
        preprocess=spec,
        window=WindowSpec(length_s=0.5, hop_s=0.5),
    )


def prepared(frame: Frame, spec: DepthSpec = METRIC, **options: Any) -> NDArray[np.float32]:
    stream = StreamConfig(modality=Modality.DEPTH, **options)
    features: NDArray[np.float32] = (
        make(encoder_of(spec), stream, UNCALIBRATED).prepare(window_of(frame)).features["pixels"]
    )
    return features


def frames() -> dict[str, Frame]:
    """One depth picture, 30 rows of 40 pixels, in every form it can arrive in."""
    depth = room(30, 40)
    metres = (depth * np.float64(0.001)).astype(np.float32)
    padded = b"".join(row.tobytes() + b"\xee" * 6 for row in depth)
    swapped = depth.astype(">u2").tobytes()
    return {
        "16UC1": Frame(depth.tobytes(), "16UC1", 40, 30, 80),
        "mono16": Frame(depth.tobytes(), "mono16", 40, 30),
        "big-endian": Frame(swapped, "16UC1", 40, 30, 80, big_endian=True),
        "padded": Frame(padded[:-6], "16UC1", 40, 30, 86),
        "png": Frame(png16(depth), "png"),
        "png16": Frame(memoryview(png16(depth)), "png16"),
        "32FC1": Frame(metres.tobytes(), "32FC1", 40, 30, 160),
    }


@pytest.mark.parametrize("name", ["mono16", "big-endian", "padded", "png", "png16", "32FC1"])
def test_every_encoding_gives_the_same_features(name: str) -> None:
    expected = prepared(frames()["16UC1"])
    np.testing.assert_allclose(prepared(frames()[name]), expected, rtol=1e-4, atol=1e-6)


def test_what_the_stream_says_goes_before_the_frame() -> None:
    frame = frames()["16UC1"]
    half = Frame(frame.data, "16UC1", 40, 30, 80, scale=0.0005, focal_px=800.0)
    wide = with_(DISPARITY, range_m=(0.001, 60.0))
    expected, _ = depth_features(room(30, 40), wide, scale=0.0005, focal_px=800.0)
    assert np.array_equal(prepared(half, wide), expected)
    expected, _ = depth_features(room(30, 40), wide, scale=0.002, focal_px=300.0)
    assert np.array_equal(prepared(half, wide, scale=0.002, focal_px=300.0), expected)
    assert np.array_equal(prepared(half, wide, unit="mm"), prepared(half, wide, scale=0.001))
    relabelled = Frame(frame.data, "TYPE_16UC1", 40, 30, 80)
    assert np.array_equal(prepared(relabelled, format="16UC1"), prepared(frame))


def test_several_frames_are_stacked_and_one_is_repeated() -> None:
    spec = with_(METRIC, frame_positions=(0.0, 1.0))
    near = Frame(np.full((9, 9), 1500, np.uint16).tobytes(), "16UC1", 9, 9)
    hole = Frame(bytes(162), "16UC1", 9, 9)
    both = DepthPreprocessor(spec).prepare(window_of(near, hole))
    assert both.features["features"].shape == (2, 1, 12, 12)
    assert both.valid_fraction == 0.5
    once = DepthPreprocessor(spec).prepare(window_of(near))
    assert np.array_equal(once.features["features"][1], both.features["features"][0])
    with pytest.raises(InputError, match="a depth window has 3 frames, expected 2"):
        DepthPreprocessor(spec).prepare(window_of(near, near, near))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (Frame(bytes(12), "rgb8", 2, 2), r"'rgb8' does not hold one value .* 16UC1, 32FC1 or a"),
        (Frame(bytes(4), "mono8", 2, 2), r"mono8 frame has 8-bit pixels, which hold no depth"),
        (Frame(bytes(7), "16UC1", 2, 2), r"2 x 2 pixels in rows of 4 bytes has 7 bytes, expected"),
        (Frame(bytes(8), "16UC1", 2, 2, 3), r"expected at least 1 x 1 and rows of 4 bytes"),
        (Frame(b"", "32FC1", 0, 0), r"says 0 x 0 pixels"),
        (Frame(b"nothing", "png"), r"png frame of 7 bytes is neither JPEG nor PNG"),
    ],
)
def test_bad_frames_are_named(frame: Frame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepared(frame)


def test_pictures_without_depth_are_refused() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4)).save(stream, "PNG")
    with pytest.raises(InputError, match=r"has pixels of mode 'RGB', expected one grey channel"):
        prepared(Frame(stream.getvalue(), "png"))
    stream = io.BytesIO()
    Image.new("L", (4, 4)).save(stream, "PNG")
    with pytest.raises(InputError, match=r"png frame has 8-bit pixels, which hold no depth"):
        prepared(Frame(stream.getvalue(), "png"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "mm", "scale": 0.001}, r"scale=0.001 and unit='mm'; give one of them"),
        ({"unit": "feet"}, r"unit='feet' is no unit of depth; expected one of m, cm, mm"),
    ],
)
def test_bad_stream_settings_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        prepared(frames()["16UC1"], **options)


def test_a_real_room(test_data: Path) -> None:
    for path in sorted((test_data / "rgbd" / "depth").glob("*.png")):
        pixels = np.asarray(Image.open(path), np.uint16)
        assert_equals_oracle(pixels, with_(DISPARITY, size=24), 0.001)
        found = prepared(Frame(path.read_bytes(), "png"), DISPARITY)
        assert np.array_equal(found, depth_features(pixels, DISPARITY)[0])
