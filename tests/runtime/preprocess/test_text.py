# SPDX-License-Identifier: Apache-2.0
"""Texts become ids, and truncation keeps the token that ends them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind import Bundle
from sensebind.bundle_folder import open_bundle
from sensebind.errors import BundleError, InputError
from sensebind.preprocess.text import TextPreprocessor
from sensebind.specs import TextSpec
from sensebind.types import Modality

if TYPE_CHECKING:
    from pathlib import Path

PAD, UNKNOWN, START, END = range(4)


@pytest.fixture
def preprocessor(bundle_folder: Path) -> TextPreprocessor:
    spec = open_bundle(bundle_folder).encoder(Modality.TEXT).preprocess
    assert isinstance(spec, TextSpec)
    return TextPreprocessor(spec, bundle_folder / "tokenizer.json")


def test_ids_and_mask(preprocessor: TextPreprocessor) -> None:
    tokens = preprocessor.prepare("A zebra")
    assert tokens["input_ids"].tolist() == [START, 4, UNKNOWN, END]
    assert tokens["attention_mask"].tolist() == [1, 1, 1, 1]
    assert {array.dtype for array in tokens.values()} == {np.dtype(np.int64)}


def test_truncation_keeps_the_end(preprocessor: TextPreprocessor) -> None:
    ids = preprocessor.prepare("a " * 100)["input_ids"]
    assert ids.tolist() == [START, *[4] * 14, END]


def padded(bundle_folder: Path, **options: Any) -> TextPreprocessor:
    spec = TextSpec(tokenizer="tokenizer.json", tokenizer_sha256="0" * 64, max_tokens=6, **options)
    return TextPreprocessor(spec, bundle_folder / "tokenizer.json")


def test_texts_are_padded_to_the_graphs_length(bundle_folder: Path) -> None:
    tokens = padded(bundle_folder, pad_to=8, pad_id=9).prepare("a robot")
    assert tokens["input_ids"].tolist() == [START, 4, 11, END, 9, 9, 9, 9]
    assert tokens["attention_mask"].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    ids = padded(bundle_folder, pad_to=8).prepare("a " * 100)["input_ids"]
    assert ids.tolist() == [START, 4, 4, 4, 4, END, PAD, PAD]
    assert {array.dtype for array in tokens.values()} == {np.dtype(np.int64)}


def test_the_mask_is_left_out_where_the_graph_takes_none(bundle_folder: Path) -> None:
    tokens = padded(bundle_folder, attention_mask=False).prepare("a robot")
    assert {name: ids.tolist() for name, ids in tokens.items()} == {
        "input_ids": [START, 4, 11, END]
    }


def test_padding_shorter_than_texts_is_refused(bundle_folder: Path) -> None:
    with pytest.raises(BundleError, match="pads to 5 tokens and takes up to 6; pad_to must be"):
        padded(bundle_folder, pad_to=5)


def test_a_graph_of_padded_ids_alone_is_encoded(bundle_copy: Path) -> None:
    """As CLIP's text tower is: ids of a fixed length, no mask."""
    onnx = pytest.importorskip("onnx", reason="writing the graph needs the onnx package")
    content = json.loads((bundle_copy / "bundle.json").read_bytes())
    text = content["encoders"]["text"]
    words = np.random.default_rng(0).standard_normal((99, content["dim"])).astype(np.float32)
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Gather", ["words", "input_ids"], ["vectors"]),
            onnx.helper.make_node("ReduceMean", ["vectors", "axis"], ["mean"], keepdims=0),
            onnx.helper.make_node("LpNormalization", ["mean"], ["embedding"]),
        ],
        "text",
        [onnx.helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, ["batch", 20])],
        [
            onnx.helper.make_tensor_value_info(
                "embedding", onnx.TensorProto.FLOAT, ["batch", content["dim"]]
            )
        ],
        [
            onnx.numpy_helper.from_array(words, "words"),
            onnx.numpy_helper.from_array(np.array([1], np.int64), "axis"),
        ],
    )
    opset = [onnx.helper.make_opsetid("", 20)]
    model = onnx.helper.make_model(graph, ir_version=10, opset_imports=opset)
    written = model.SerializeToString()
    (bundle_copy / text["onnx"]).write_bytes(written)
    content["files"][text["onnx"]] = {
        "sha256": hashlib.sha256(written).hexdigest(),
        "bytes": len(written),
    }
    text["inputs"] = [{"name": "input_ids", "dtype": "int64", "shape": ["batch", 20]}]
    text["preprocess"] |= {"pad_to": 20, "attention_mask": False}
    (bundle_copy / "bundle.json").write_text(json.dumps(content))
    with Bundle.load(bundle_copy) as bundle:
        found = bundle.encode_text(["a robot", "the red cup on the floor"])
    mean = words[[START, 4, 11, END] + [PAD] * 16].mean(axis=0)
    np.testing.assert_allclose(found[0], mean / np.linalg.norm(mean), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a text is '', expected at least one word"),
        (" \n", r"a text is ' \\n', expected at least one word"),
        (3, r"a text is 3 \(int\), expected a string"),
        (None, r"a text is None \(NoneType\)"),
    ],
)
def test_bad_texts_are_named(preprocessor: TextPreprocessor, text: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        preprocessor.prepare(text)


def test_bad_tokenizer_files_are_named(tmp_path: Path) -> None:
    spec = TextSpec(tokenizer="tokenizer.json", tokenizer_sha256="0" * 64, max_tokens=8)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(BundleError, match=r"tokenizer.json is not a tokenizer file: "):
        TextPreprocessor(spec, tmp_path / "tokenizer.json")
