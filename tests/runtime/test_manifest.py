# SPDX-License-Identifier: Apache-2.0
"""The manifest names what is wrong with it, and ids change with what changes vectors."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensebind.errors import BundleError
from sensebind.manifest import decode_manifest, encode_manifest
from sensebind.specs import features_shape
from sensebind.types import Modality

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def content(bundle_folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((bundle_folder / "bundle.json").read_text())
    return value


def changed(content: dict[str, Any], path: str, value: Any) -> bytes:
    """The manifest's bytes with one field set ("a.b.0"), or removed if the value is None."""
    result = copy.deepcopy(content)
    *parents, last = (name.replace("?", ".") for name in path.split("."))
    place: Any = result
    for name in parents:
        place = place[int(name) if isinstance(place, list) else name]
    if value is None:
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return json.dumps(result).encode()


def test_writing_and_reading_is_exact(bundle_folder: Path) -> None:
    written = (bundle_folder / "bundle.json").read_bytes()
    assert encode_manifest(decode_manifest(written)) == written


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", 2, r"bundle format 2 is not supported, expected 1; rebuild the bundle or"),
        ("surprise", 1, r"unknown field `surprise`"),
        ("encoders.imu.preprocess.rate", 100, r"unknown field `rate` - at `\$.encoders\[...\]"),
        ("encoders.imu.preprocess.rate_hz", 0, r"> 0.0 - at"),
        ("encoders.imu.preprocess.rate_hz", "fast", r"Expected `float`, got `str`"),
        ("encoders.imu.preprocess.type", "sonar", r"Invalid value 'sonar'"),
        ("encoders.imu.preprocess.interpolation", "nearest", r"Invalid enum value 'nearest'"),
        ("encoders.smell", {}, r"Invalid enum value 'smell'"),
        ("encoders.vision", None, r"anchor names 'vision', which has no encoder"),
        ("anchor", [], r"anchor is \[\], expected one or more modalities"),
        ("anchor", ["text", "text"], r"anchor is \['text', 'text'\], expected .* each once"),
        ("name", "../demo", r"matching regex"),
        ("kind", "toy", r"Invalid enum value 'toy'"),
        ("dim", 16, r"output is float32 \['batch', 32\], expected float32 \['batch', 16\]"),
        ("encoders.imu.output.dtype", "float16", r"imu.output is float16"),
        ("encoders.imu.window", None, r"imu.window must be given for every modality but text"),
        ("encoders.imu.window.hop_s", 0, r"> 0.0"),
        ("encoders.imu.inputs.0.shape", ["batch", 6, 99], r"imu.inputs are .* 99.* make .* 100"),
        ("encoders.imu.inputs.0.dtype", "int64", r"imu.inputs are .*int64.* make .*float32"),
        ("encoders.text.inputs.0.name", "ids", r"text.inputs are .*'ids'.* make .*input_ids"),
        ("encoders.imu.onnx", "other.onnx", r"'other.onnx' is used but not listed in 'files'"),
        ("golden", "other.npz", r"'other.npz' is used but not listed"),
        ("encoders.text.preprocess.tokenizer_sha256", "0" * 64, r"tokenizer.json' must be listed"),
        ("files.imu?onnx", {"sha256": "0", "bytes": 1}, r"matching regex"),
        ("licence", None, r"missing required field `licence`"),
    ],
)
def test_every_defect_is_named(
    content: dict[str, Any], path: str, value: Any, message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        decode_manifest(changed(content, path, value))


def test_another_format_is_told_before_its_unknown_fields() -> None:
    with pytest.raises(BundleError, match="bundle format 7 is not supported"):
        decode_manifest(b'{"format": 7, "engines": []}')


def test_an_encoder_needs_the_preprocessing_of_its_modality(content: dict[str, Any]) -> None:
    thermal = content["encoders"]["thermal"]
    with pytest.raises(BundleError, match=r"depth.preprocess has type ThermalSpec, expected Depth"):
        decode_manifest(changed(content, "encoders.depth", thermal))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_cleanly(text: bytes) -> None:
    with pytest.raises(BundleError, match=r"bundle.json is not a valid manifest|format"):
        decode_manifest(text)


IDS = {
    "vector": [
        ("encoders.imu.preprocess.interpolation", "linear"),
        ("encoders.imu.preprocess.max_interval_s", 0.06),
    ],
    "same": [
        ("encoders.imu.window.hop_s", 0.25),
        ("encoders.imu.window.min_coverage", 0.5),
        ("encoders.depth.preprocess.baseline_m", 0.05),
        ("licence", "MIT"),
    ],
}


@pytest.mark.parametrize(("path", "value"), IDS["vector"])
def test_encoder_id_changes_with_what_changes_vectors(
    content: dict[str, Any], path: str, value: Any
) -> None:
    before = decode_manifest(json.dumps(content).encode())
    after = decode_manifest(changed(content, path, value))
    assert after.encoder_id(Modality.IMU) != before.encoder_id(Modality.IMU)
    assert after.space_id == before.space_id


@pytest.mark.parametrize(("path", "value"), IDS["same"])
def test_encoder_id_ignores_the_rest(content: dict[str, Any], path: str, value: Any) -> None:
    before = decode_manifest(json.dumps(content).encode())
    after = decode_manifest(changed(content, path, value))
    assert after.encoder_id(Modality.IMU) == before.encoder_id(Modality.IMU)


def test_a_field_left_out_is_a_field_at_its_default(content: dict[str, Any]) -> None:
    """So a field that a later version adds does not change the ids of today's bundles."""
    before = decode_manifest(json.dumps(content).encode())
    after = decode_manifest(changed(content, "encoders.imu.preprocess.max_interval_s", None))
    assert after.encoder_id(Modality.IMU) == before.encoder_id(Modality.IMU)


def test_ids_depend_on_the_onnx_bytes(content: dict[str, Any]) -> None:
    before = decode_manifest(json.dumps(content).encode())
    other = copy.deepcopy(content)
    other["files"]["text.onnx"]["sha256"] = "0" * 64
    after = decode_manifest(json.dumps(other).encode())
    assert after.encoder_id(Modality.TEXT) != before.encoder_id(Modality.TEXT)
    assert after.encoder_id(Modality.IMU) == before.encoder_id(Modality.IMU)
    assert after.space_id != before.space_id
    other["files"]["imu.onnx.data"] = {"sha256": "1" * 64, "bytes": 1}
    with_data = decode_manifest(json.dumps(other).encode())
    assert with_data.encoder_id(Modality.IMU) != before.encoder_id(Modality.IMU)


def test_space_ignores_the_order_of_the_anchor(content: dict[str, Any]) -> None:
    turned = decode_manifest(changed(content, "anchor", content["anchor"][::-1]))
    assert turned.space_id == decode_manifest(json.dumps(content).encode()).space_id


def test_ids_are_defined_by_this(content: dict[str, Any]) -> None:
    """Stored vectors carry ids: a change of the rule must not go unnoticed."""

    def digest(value: object) -> str:
        text = json.dumps(value, separators=(",", ":"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def identity(modality: str, preprocess: dict[str, Any], length_s: float | None) -> str:
        onnx = content["files"][f"{modality}.onnx"]["sha256"]
        parts = {"onnx": onnx, "data": None, "preprocess": preprocess, "length_s": length_s}
        return digest(parts)

    manifest = decode_manifest(json.dumps(content).encode())
    imu = identity("imu", {"type": "imu", "rate_hz": 100.0}, 1.0)

    def stated(modality: str, *names: str) -> dict[str, Any]:
        return {name: content["encoders"][modality]["preprocess"][name] for name in names}

    names = ("type", "tokenizer", "tokenizer_sha256", "max_tokens")
    text = identity("text", stated("text", *names), None)
    vision = identity("vision", stated("vision", "type", "size", "mean", "std"), 0.5)
    assert manifest.encoder_id(Modality.IMU) == imu
    assert manifest.space_id == digest({"anchor": [text, vision], "dim": 32})


@pytest.mark.parametrize(
    ("modality", "shape"),
    [
        ("vision", (3, 32, 32)),
        ("audio", (1, 128, 204)),
        ("depth", (1, 32, 32)),
        ("thermal", (1, 32, 32)),
        ("imu", (6, 100)),
    ],
)
def test_feature_shapes(content: dict[str, Any], modality: str, shape: tuple[int, ...]) -> None:
    manifest = decode_manifest(json.dumps(content).encode())
    assert features_shape(manifest.encoders[Modality(modality)]) == shape


def test_text_takes_what_its_preprocessing_makes(content: dict[str, Any]) -> None:
    other = copy.deepcopy(content)
    other["encoders"]["text"]["preprocess"]["pad_to"] = 77
    with pytest.raises(BundleError, match=r"text.inputs are .* make .*'batch', 77\)"):
        decode_manifest(json.dumps(other).encode())
    other["encoders"]["text"]["preprocess"]["attention_mask"] = False
    ids = {"name": "input_ids", "dtype": "int64", "shape": ["batch", 77]}
    other["encoders"]["text"]["inputs"] = [ids]
    text = decode_manifest(json.dumps(other).encode()).encoders[Modality.TEXT]
    assert [tensor.shape for tensor in text.inputs] == [("batch", 77)]


def test_several_frames_add_an_axis(content: dict[str, Any]) -> None:
    other = copy.deepcopy(content)
    other["encoders"]["vision"]["preprocess"]["frame_positions"] = [0.0, 1.0]
    with pytest.raises(BundleError, match=r"vision.inputs are .* make .*\('batch', 2, 3, 32, 32\)"):
        decode_manifest(json.dumps(other).encode())
    other["encoders"]["vision"]["inputs"][0]["shape"] = ["batch", 2, 3, 32, 32]
    manifest = decode_manifest(json.dumps(other).encode())
    assert features_shape(manifest.encoders[Modality.VISION]) == (2, 3, 32, 32)


def test_text_has_no_fixed_shape(content: dict[str, Any]) -> None:
    manifest = decode_manifest(json.dumps(content).encode())
    with pytest.raises(BundleError, match="as many tokens as the text"):
        features_shape(manifest.encoders[Modality.TEXT])
