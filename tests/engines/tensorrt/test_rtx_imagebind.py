# SPDX-License-Identifier: Apache-2.0
"""ImageBind's towers, with random weights, through the real parser and builder of TensorRT for RTX.

What is shown: our exports of that size are taken, in the types they state, and become plans of the
size that these make. What is not: that a plan runs.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip(
    "tensorrt_rtx_bindings", reason="TensorRT-RTX is not installed (extra tensorrt-rtx)"
)
pytest.importorskip("torch", reason="torch is not installed (extra train)")

import msgspec
import torch

from sensebind.specs import TextSpec
from sensebind.types import Modality
from sensebind_engines.export.check import write_lean
from sensebind_engines.export.onnx_export import export_lean
from sensebind_engines.half.export import export_half
from sensebind_engines.imagebind.layout import imagebind_config
from sensebind_engines.models.build import build_encoder
from sensebind_engines.models.config import EncoderConfig, Transformer, encoder_spec
from sensebind_engines.tensorrt.build import build_plan
from sensebind_engines.tensorrt.flavour import Flavour, open_flavour
from sensebind_engines.tensorrt.network import promised
from sensebind_engines.tensorrt.options import BuildOptions

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.specs import TensorSpec

OPTIONS = BuildOptions(compute_capabilities=("86",), batch=(1, 1, 4))
SMALLER = [Modality.AUDIO, Modality.DEPTH, Modality.THERMAL, Modality.IMU]
LARGER = [Modality.VISION, Modality.TEXT]


@pytest.fixture(scope="module")
def rtx() -> Flavour:
    return open_flavour("tensorrt-rtx")


def export(modality: Modality, folder: Path, blocks: int | None) -> tuple[Path, Transformer]:
    """The FP32 graph of a tower, cut to `blocks` blocks unless that is None."""
    torch.manual_seed(0)
    config = _tokenised(imagebind_config(modality))
    assert isinstance(config.network, Transformer)
    if blocks is not None:
        network = msgspec.structs.replace(config.network, blocks=blocks)
        config = msgspec.structs.replace(config, network=network)
    assert isinstance(config.network, Transformer)
    spec = encoder_spec(config)
    path = folder / spec.onnx
    encoder = build_encoder(config).eval()
    write_lean(export_lean(encoder, spec.inputs, spec.output.name), path)
    return path, config.network


def half_of(path: Path, modality: Modality, network: Transformer) -> Path:
    """The half graph beside it."""
    inputs = encoder_spec(_tokenised(imagebind_config(modality))).inputs
    features = {tensor.name: _row(tensor, network) for tensor in inputs}
    return path.with_name(export_half(path, features).onnx)


def _tokenised(config: EncoderConfig) -> EncoderConfig:
    """A text configuration with a tokenizer, whose file is not needed here; others as they are."""
    if config.modality is not Modality.TEXT:
        return config
    tokens = TextSpec(tokenizer="t.json", tokenizer_sha256="0" * 64, max_tokens=77)
    return msgspec.structs.replace(config, preprocess=tokens)


def _row(tensor: TensorSpec, network: Transformer) -> NDArray[np.float32 | np.int64]:
    lengths = {"batch": 1, "tokens": network.context}
    shape = tuple(n if isinstance(n, int) else lengths[n] for n in tensor.shape)
    if tensor.dtype == "int64":
        return np.ones(shape, np.int64)
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def size_of_plan(path: Path, kind: str, network: Transformer, rtx: Flavour) -> int:
    """Build a plan and see that it is what was promised; its bytes."""
    built = build_plan(rtx, path, OPTIONS, {"tokens": (1, 16, 77)})
    assert built.audit == promised(path)
    # Attention's two products and the four layers of a block, at least.
    assert built.audit["MATRIX_MULTIPLY"][kind] >= 6 * network.blocks
    assert set(built.audit["NORMALIZATION"]) == set(built.audit["SOFTMAX"]) == {"FLOAT"}
    weights = path.stat().st_size + _data_bytes(path)
    assert 0.9 * weights < len(built.plan) < 1.3 * weights + 4e6
    return len(built.plan)


def build_both(path: Path, modality: Modality, network: Transformer, rtx: Flavour) -> None:
    """Build an FP32 graph and its half one."""
    full = size_of_plan(path, "FLOAT", network, rtx)
    half = size_of_plan(half_of(path, modality, network), "HALF", network, rtx)
    assert half < 0.6 * full


def _data_bytes(path: Path) -> int:
    data = path.with_name(f"{path.name}.data")
    return data.stat().st_size if data.is_file() else 0


@pytest.mark.parametrize("modality", SMALLER)
def test_the_smaller_towers_become_plans(modality: Modality, tmp_path: Path, rtx: Flavour) -> None:
    path, network = export(modality, tmp_path, None)
    build_both(path, modality, network, rtx)


@pytest.mark.parametrize("modality", LARGER)
def test_two_blocks_of_the_larger_ones_do(modality: Modality, tmp_path: Path, rtx: Flavour) -> None:
    path, network = export(modality, tmp_path, 2)
    build_both(path, modality, network, rtx)


@pytest.mark.slow
@pytest.mark.parametrize("modality", LARGER)
def test_all_blocks_of_the_larger_ones_do(modality: Modality, tmp_path: Path, rtx: Flavour) -> None:
    """FP32 graphs of 1.4 and 2.5 GB, and their half ones."""
    # In a process of its own: the exporter keeps the weights of what it exported last.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        path, network = pool.submit(export, modality, tmp_path, None).result()
    build_both(path, modality, network, rtx)
