# SPDX-License-Identifier: Apache-2.0
"""Encoders of every size export to graphs that compute the same at any batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

pytest.importorskip("torch", reason="export needs the train extra")
pytest.importorskip("onnxscript", reason="export needs the train extra")

import torch

from sensebind.backends import open_engine
from sensebind.errors import BundleError, ConfigError
from sensebind.storage import data_folder
from sensebind.types import Modality
from sensebind_engines.export.encoder import (
    GOLDEN_TEXTS,
    LARGEST_DIFFERENCE,
    export_encoder,
    golden_features,
    with_tokenizer,
)
from sensebind_engines.models.build import build_encoder
from sensebind_engines.models.sizes import default_config

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind_engines.models.config import EncoderConfig
    from sensebind_engines.models.encoder import Encoder

DENSE = [modality for modality in Modality if modality is not Modality.TEXT]
QUICK = [(modality, "tiny") for modality in DENSE] + [
    (modality, "conv-small") for modality in (Modality.AUDIO, Modality.DEPTH, Modality.IMU)
]
LONG = [
    *((modality, size) for modality in Modality for size in ("small", "base", "imagebind")),
    *((modality, size) for modality in DENSE for size in ("conv-tiny", "conv-base")),
    (Modality.VISION, "conv-small"),
    (Modality.THERMAL, "conv-small"),
]


def configured(modality: Modality, size: str, folder: Path) -> EncoderConfig:
    """A size's configuration; text gets the demo bundle's tokenizer, for lack of CLIP's."""
    config = default_config(modality, size, 32)
    if modality is not Modality.TEXT:
        return config
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_bytes((data_folder() / "bundles" / "demo" / "tokenizer.json").read_bytes())
    return with_tokenizer(config, tokenizer, 77)


def random_encoder(config: EncoderConfig) -> Encoder:
    """An encoder with random weights whose batch norms have seen some features."""
    torch.manual_seed(0)
    encoder = build_encoder(config)
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2.0)
    return encoder


@pytest.mark.parametrize(
    ("modality", "size"), [*QUICK, *(pytest.param(*c, marks=pytest.mark.slow) for c in LONG)]
)
def test_the_graph_equals_the_module(modality: Modality, size: str, tmp_path: Path) -> None:
    encoder = random_encoder(configured(modality, size, tmp_path))
    exported = export_encoder(encoder, tmp_path, batches=(1, 3, 8))
    assert exported.largest_difference <= LARGEST_DIFFERENCE
    spec = exported.spec
    model = onnx.load(tmp_path / spec.onnx, load_external_data=False)
    assert (model.ir_version, model.opset_import[0].version) == (10, 20)
    # As the runtime opens it, held against the manifest's tensors.
    engine = open_engine("onnxruntime", tmp_path / spec.onnx, spec.inputs, spec.output)
    features = {name: a for name, a in exported.golden.items() if name != "embedding"}
    vectors = engine.run(features)
    assert np.abs(vectors - exported.golden["embedding"]).max() <= LARGEST_DIFFERENCE
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_text_alone_equals_the_padded_batch(tmp_path: Path) -> None:
    encoder = random_encoder(configured(Modality.TEXT, "tiny", tmp_path))
    exported = export_encoder(encoder, tmp_path, batches=(1, 3, 8))
    assert exported.largest_difference <= LARGEST_DIFFERENCE
    golden = exported.golden
    engine = open_engine(
        "onnxruntime", tmp_path / "text.onnx", exported.spec.inputs, exported.spec.output
    )
    lengths = golden["attention_mask"].sum(axis=1)
    assert len(set(lengths)) == len(GOLDEN_TEXTS)
    for row, length in enumerate(lengths):
        alone = {
            name: golden[name][row : row + 1, :length] for name in ("input_ids", "attention_mask")
        }
        assert np.abs(engine.run(alone) - golden["embedding"][row]).max() <= LARGEST_DIFFERENCE


def test_equal_weights_give_equal_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        config = default_config(Modality.IMU, "conv-tiny", 8)
        export_encoder(random_encoder(config), tmp_path / name)
        written.append((tmp_path / name / "imu.onnx").read_bytes())
    assert written[0] == written[1]


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    encoder = random_encoder(default_config(Modality.IMU, "conv-tiny", 8))
    encoder.network.head[0].bias.data[0] = float("nan")
    with pytest.raises(BundleError, match=r"imu\.onnx differs .* by nan, expected at most 1e-05"):
        export_encoder(encoder, tmp_path)


def test_text_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    encoder = build_encoder(default_config(Modality.TEXT, "tiny", 8))
    with pytest.raises(ConfigError, match="the text encoder has no tokenizer yet"):
        export_encoder(encoder, tmp_path)


def test_golden_features_are_the_same_every_time(tmp_path: Path) -> None:
    config = default_config(Modality.AUDIO, "tiny", 8)
    first, second = (golden_features(config, tmp_path)["features"] for _ in range(2))
    assert first.shape == (2, 1, 128, 204)
    assert np.array_equal(first, second)
