# SPDX-License-Identifier: Apache-2.0
"""Loading a bundle, encoding in one call, and what goes wrong."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from PIL import Image

import sensebind as sb
from sensebind.bundle import Bundle
from sensebind.bundle_folder import open_bundle
from sensebind.errors import BackendError, BundleError, InputError
from sensebind.manifest import encode_manifest
from sensebind.preprocess import resample_imu
from sensebind.specs import Int8Spec
from sensebind.types import Modality

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

EPOCH_NS = 1_700_000_000_123_456_789


@pytest.fixture
def bundle(bundle_folder: Path) -> Iterator[Bundle]:
    with sb.Bundle.load(bundle_folder) as loaded:
        yield loaded


def imu(count: int) -> NDArray[np.float64]:
    return np.random.default_rng(8).normal(0, 3, (count, 6))


def picture(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    return np.random.default_rng(9).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_it_tells_what_it_is(bundle: Bundle) -> None:
    assert bundle.name == "test"
    assert bundle.is_test
    assert bundle.dim == 32
    assert set(bundle.modalities) == set(Modality)
    assert bundle.space_id == bundle.manifest.space_id
    assert bundle.backend == "onnxruntime"
    assert "CPU" in bundle.backend_reason


def test_a_test_bundle_says_so_once(bundle_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), Bundle.load(bundle_folder) as bundle:
        bundle.encode_text(["a cat"])
    assert [r.message for r in caplog.records] == [
        "test is a test bundle: its weights are random and its vectors mean nothing"
    ]


def test_encoders_are_opened_once(bundle: Bundle) -> None:
    assert bundle.encoder("imu") is bundle.encoder(Modality.IMU)


def test_texts_are_encoded_alone(bundle: Bundle) -> None:
    texts = ["a cat", "a loud alarm on the floor", "a cat"]
    vectors = bundle.encode_text(texts)
    assert vectors.shape == (3, 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert vectors[0].tobytes() == vectors[2].tobytes()
    for text, vector in zip(texts, vectors, strict=True):
        assert bundle.encode("text", text)[0].tobytes() == vector.tobytes()
    assert bundle.encode("text", texts).tobytes() == vectors.tobytes()


def test_every_form_of_a_picture_gives_the_same_bytes(bundle: Bundle, tmp_path: Path) -> None:
    pixels = picture()
    image = Image.fromarray(pixels)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    path = tmp_path / "picture.png"
    path.write_bytes(stream.getvalue())
    expected = bundle.encode("vision", pixels)
    assert expected.shape == (1, 32)
    for form in (image, stream.getvalue(), path, str(path), np.asfortranarray(pixels)):
        assert bundle.encode("vision", form).tobytes() == expected.tobytes()
    several = bundle.encode("vision", [pixels, path, pixels[:, ::-1]])
    assert several.shape == (3, 32)
    assert several[1].tobytes() == several[0].tobytes() == expected.tobytes()


def test_the_image_path_equals_the_direct_computation(bundle: Bundle) -> None:
    """One picture through Pillow, float64 and the graph, without any of our preprocessing."""
    import onnxruntime

    spec: Any = bundle.manifest.encoders[Modality.VISION].preprocess
    pixels = picture(32, 40)
    cropped = pixels[:, 4:36].astype(np.float64)
    features = ((cropped / 255 - spec.mean) / spec.std).transpose(2, 0, 1)[np.newaxis]
    session = onnxruntime.InferenceSession(bundle.folder.file("vision.onnx"))
    (expected,) = session.run(None, {"features": features.astype(np.float32)})
    np.testing.assert_allclose(bundle.encode("vision", pixels), expected, atol=1e-5)


def test_grey_pictures_are_taken(bundle: Bundle) -> None:
    grey = picture()[:, :, 0]
    colour = np.repeat(grey[:, :, np.newaxis], 3, axis=2)
    assert bundle.encode("vision", grey).tobytes() == bundle.encode("vision", colour).tobytes()


@pytest.mark.parametrize(("count", "windows"), [(100, 1), (139, 1), (140, 2), (250, 4)])
def test_imu_windows_follow_at_the_hop(bundle: Bundle, count: int, windows: int) -> None:
    values = imu(count)
    found = bundle.encode("imu", values, rate_hz=100)
    assert found.shape == (windows, 32)
    stamps = np.arange(count, dtype=np.int64) * 10_000_000
    for k in range(windows):
        features = resample_imu(
            stamps, values, end_ns=10**9 + k * 5 * 10**8, length_s=1.0, rate_hz=100.0
        )
        expected = bundle.encoder("imu").encode([{"features": features}])
        assert found[k].tobytes() == expected.tobytes()


def test_stamps_and_rate_mean_the_same(bundle: Bundle) -> None:
    values = imu(240)
    stamps = EPOCH_NS + np.arange(240, dtype=np.int64) * 10_000_000
    by_stamps = bundle.encode("imu", values, stamps_ns=stamps)
    assert by_stamps.tobytes() == bundle.encode(Modality.IMU, values, rate_hz=100.0).tobytes()


def test_jitter_does_not_cost_the_last_window(bundle: Bundle) -> None:
    stamps = EPOCH_NS + np.arange(100, dtype=np.int64) * 10_000_000
    stamps[1:] -= 300_000
    assert bundle.encode("imu", imu(100), stamps_ns=stamps).shape == (1, 32)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (imu(89), {"rate_hz": 100}, r"89 imu samples do not fill the bundle's window of 1 s"),
        (imu(1), {"rate_hz": 100}, r"1 imu samples do not fill"),
        (imu(3), {"stamps_ns": np.array([0, 2, 1])}, r"must rise: row 2 has 1 ns after 2 ns"),
        (imu(100), {}, r"give either rate_hz or stamps_ns"),
        (imu(2), {"rate_hz": 1, "stamps_ns": np.array([0, 1])}, r"give either rate_hz or"),
        (imu(100), {"rate_hz": 0}, r"rate_hz is 0, expected a positive number"),
        (imu(100), {"rate_hz": float("nan")}, r"rate_hz is nan"),
        (imu(100)[:, :3], {"rate_hz": 100}, r"shape \(100, 3\), expected \(n, 6\)"),
        (imu(0), {"rate_hz": 100}, r"shape \(0, 6\), expected \(n, 6\) with n at least 1"),
        ("x", {"rate_hz": 100}, r"IMU data is a str, expected numbers \(n, 6\)"),
        (imu(3), {"stamps_ns": np.zeros(3)}, r"stamps_ns is float64 \(3,\), expected int64 \(3,\)"),
        (imu(3), {"stamps_ns": np.array([1])}, r"stamps_ns is int64 \(1,\), expected int64 \(3,\)"),
        (
            imu(4),
            {"stamps_ns": np.array([0, 10**7, 10**9, 10**9 + 1])},
            r"pause for 0.99 s before row 2, the bundle bridges at most 0.25 s",
        ),
        (np.full((100, 6), np.nan), {"rate_hz": 100}, r"ax of row 0 is nan"),
    ],
)
def test_bad_imu_data_is_named(
    bundle: Bundle, data: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        bundle.encode("imu", data, **options)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (picture().astype(np.float32), r"a picture is float32 \(48, 64, 3\), expected uint8"),
        (picture()[:, :, :2], r"uint8 \(48, 64, 2\), expected"),
        (np.zeros((0, 5), np.uint8), r"says 5 x 0 pixels"),
        (3, r"a picture is a int, expected a uint8 array, a Pillow image, a path"),
        ([], r"no pictures were given"),
        ("/none/picture.png", r"cannot read the picture /none/picture.png: No such file"),
        (b"", r"neither JPEG nor PNG"),
    ],
)
def test_bad_pictures_are_named(bundle: Bundle, data: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        bundle.encode("vision", data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, r"a text is a int, expected a string or a list"),
        ([], r"texts is \[\], expected a list of at least one string"),
        (["a cat", ""], r"a text is '', expected at least one word"),
    ],
)
def test_bad_texts_are_named(bundle: Bundle, data: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        bundle.encode("text", data)


def test_bad_arguments_are_named(bundle: Bundle, bundle_folder: Path) -> None:
    with pytest.raises(InputError, match=r"texts is 'a cat', expected a list"):
        bundle.encode_text("a cat")
    with pytest.raises(InputError, match=r"no modality 'smell'; they are: vision, text, audio"):
        bundle.encode("smell", 1)
    with pytest.raises(InputError, match=r"mean nothing for 'vision'"):
        bundle.encode("vision", picture(), rate_hz=3)
    with pytest.raises(InputError, match=r"no backend 'cuda'"):
        Bundle.load(bundle_folder, backend="cuda")
    with pytest.raises(InputError, match=r"threads is 0, expected at least 1"):
        Bundle.load(bundle_folder, threads=0)


def test_a_closed_bundle_says_so(bundle_folder: Path) -> None:
    with Bundle.load(bundle_folder) as bundle:
        encoder = bundle.encoder("imu")
    with pytest.raises(BundleError, match="bundle 'test' is closed; load it again"):
        bundle.encode_text(["a cat"])
    with pytest.raises(BackendError, match="is closed"):
        encoder.encode([{"features": np.zeros((6, 100), np.float32)}])


@pytest.mark.parametrize("name", ["imu.onnx", "text.onnx", "tokenizer.json"])
def test_only_verified_files_are_used(bundle_copy: Path, name: str) -> None:
    content = bytearray((bundle_copy / name).read_bytes())
    content[-2] ^= 1
    (bundle_copy / name).write_bytes(content)
    with Bundle.load(bundle_copy) as bundle:
        bundle.encode("vision", picture())
        with pytest.raises(BundleError, match=rf"{name} has sha256"):
            bundle.encode("imu", imu(100), rate_hz=100) if "imu" in name else bundle.encode_text(
                ["a"]
            )


def test_weights_outside_the_graph_are_verified(bundle_copy: Path) -> None:
    (bundle_copy / "imu.onnx.data").write_bytes(b"unlisted")
    with (
        Bundle.load(bundle_copy) as bundle,
        pytest.raises(BundleError, match=r"'imu.onnx.data' is not listed"),
    ):
        bundle.encoder("imu")


def test_a_bundle_without_text_says_so(bundle_copy: Path) -> None:
    path = bundle_copy / "bundle.json"
    content = json.loads(path.read_text())
    del content["encoders"]["text"]
    path.write_text(json.dumps({**content, "anchor": ["vision"]}))
    with Bundle.load(bundle_copy) as bundle, pytest.raises(BundleError, match="no 'text' encoder"):
        bundle.encode_text(["a cat"])


def test_int8_needs_int8_graphs(bundle_folder: Path) -> None:
    with pytest.raises(BundleError, match=r"no INT8 graph, which --backend onnxruntime-int8 runs"):
        Bundle.load(bundle_folder, backend="onnxruntime-int8")


def test_int8_runs_the_int8_graphs_and_says_so(bundle_copy: Path) -> None:
    manifest = open_bundle(bundle_copy).manifest
    imu = manifest.encoders[Modality.IMU]
    # Any other graph will do to see which one is opened.
    (bundle_copy / "imu.int8.onnx").write_bytes((bundle_copy / "imu.onnx").read_bytes())
    (bundle_copy / "imu.onnx").write_bytes(b"not opened")
    int8 = Int8Spec(
        onnx="imu.int8.onnx", method="dynamic", product_share=1, rows=16, least_cosine=0.99,
        mean_cosine=0.999,
    )  # fmt: skip
    encoders = {**manifest.encoders, Modality.IMU: msgspec.structs.replace(imu, int8=int8)}
    files = {**manifest.files, "imu.int8.onnx": manifest.files["imu.onnx"]}
    changed = msgspec.structs.replace(manifest, encoders=encoders, files=files)
    (bundle_copy / "bundle.json").write_bytes(encode_manifest(changed))
    with Bundle.load(bundle_copy, backend="onnxruntime-int8") as bundle:
        assert bundle.encoder(Modality.IMU).precision == "int8"
        assert bundle.encoder(Modality.DEPTH).precision == "fp32"
        assert bundle.encoder(Modality.IMU).encoder_id == manifest.encoder_id(Modality.IMU)
