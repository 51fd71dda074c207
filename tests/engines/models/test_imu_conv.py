# SPDX-License-Identifier: Apache-2.0
"""The IMU encoder's network and its graph."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the factory's networks need the train extra")
pytest.importorskip("onnx", reason="export needs the train extra")
pytest.importorskip("onnxscript", reason="export needs the train extra")

from typing import TYPE_CHECKING

import torch

from sensebind.specs import TensorSpec
from sensebind_engines.export.check import largest_difference, write_graph
from sensebind_engines.export.onnx_export import export_onnx
from sensebind_engines.models.imu_conv import ImuConv

if TYPE_CHECKING:
    from pathlib import Path

INPUTS = (TensorSpec(name="features", dtype="float32", shape=("batch", 6, 400)),)


@pytest.fixture(scope="module")
def encoder() -> ImuConv:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = ImuConv()
    module.eval()
    return module


def _features(n: int = 2) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    rng = np.random.default_rng(0)
    features = rng.normal(0.0, 3.0, (n, 6, 400)).astype(np.float32)
    features[:, 2] += 9.81
    return features


def test_it_is_small(encoder: ImuConv) -> None:
    assert sum(weight.numel() for weight in encoder.parameters()) <= 600_000


def test_rows_have_unit_length_whatever_the_input(encoder: ImuConv) -> None:
    for features in (_features(), np.zeros((1, 6, 400), np.float32), _features() * 1e3):
        with torch.inference_mode():
            lengths = encoder(torch.from_numpy(features)).norm(dim=-1)
        assert lengths.numpy() == pytest.approx(np.ones(len(features)), abs=1e-6)


def test_windows_of_a_batch_do_not_see_each_other(encoder: ImuConv) -> None:
    features = torch.from_numpy(_features(3))
    with torch.inference_mode():
        together = encoder(features)
        alone = torch.cat([encoder(row[None]) for row in features])
    assert torch.allclose(together, alone, atol=1e-6)


def test_graph_equals_the_module_at_every_batch(encoder: ImuConv, tmp_path: Path) -> None:
    graph = write_graph(export_onnx(encoder, INPUTS), tmp_path / "imu.onnx")
    for batch in (1, 3, 8):
        assert largest_difference(graph, encoder, {"features": _features()}, batch) <= 1e-5
    assert graph == write_graph(export_onnx(encoder, INPUTS), tmp_path / "again.onnx")
