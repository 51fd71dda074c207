# SPDX-License-Identifier: Apache-2.0
"""Weights that stay outside a graph until it is written, inside it or beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

pytest.importorskip("torch", reason="export needs the train extra")
pytest.importorskip("onnxscript", reason="export needs the train extra")

import torch

from sensebind.errors import BundleError
from sensebind.specs import TensorSpec
from sensebind_engines.export.check import largest_difference, write_lean
from sensebind_engines.export.lean import full_graph
from sensebind_engines.export.onnx_export import export_lean, export_onnx

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from sensebind_engines.export.lean import LeanGraph

FEATURES = TensorSpec(name="features", dtype="float32", shape=("batch", 40))


@pytest.fixture(scope="module")
def module() -> nn.Module:
    """Two layers: their matrices are large, their biases small."""
    torch.manual_seed(0)
    layers = [torch.nn.Linear(40, 30), torch.nn.GELU(), torch.nn.Linear(30, 20)]
    return torch.nn.Sequential(*layers).eval()


@pytest.fixture(scope="module")
def graph(module: nn.Module) -> LeanGraph:
    """The graph with its two matrices outside."""
    return export_lean(module, [FEATURES])


def test_large_weights_are_outside_and_not_copied(module: nn.Module, graph: LeanGraph) -> None:
    assert graph.model.ByteSize() < 2000
    shapes = {name: read().shape for name, read in graph.weights.items()}
    assert sorted(shapes.values()) == [(20, 30), (30, 40)]
    matrix = next(read() for name, read in graph.weights.items() if shapes[name] == (20, 30))
    assert np.shares_memory(matrix, module[2].weight.detach().numpy())


def test_the_full_graph_is_the_exported_one(module: nn.Module, graph: LeanGraph) -> None:
    assert full_graph(graph) == export_onnx(module, [FEATURES])


def test_writing_it_piece_by_piece_gives_its_bytes(graph: LeanGraph, tmp_path: Path) -> None:
    write_lean(graph, tmp_path / "x.onnx")
    whole = full_graph(graph).SerializeToString(deterministic=True)
    assert (tmp_path / "x.onnx").read_bytes() == whole


@pytest.mark.parametrize("limit_bytes", [0, 1 << 20])
def test_both_ways_of_writing_compute_the_same(
    module: nn.Module, graph: LeanGraph, tmp_path: Path, limit_bytes: int
) -> None:
    path = tmp_path / "x.onnx"
    write_lean(graph, path, limit_bytes)
    beside = tmp_path / "x.onnx.data"
    assert beside.exists() == (limit_bytes == 0)
    features = {"features": np.ones((2, 40), np.float32)}
    assert largest_difference(path, module, features, (1, 3)) < 1e-6


def test_weights_beside_are_aligned_and_listed(graph: LeanGraph, tmp_path: Path) -> None:
    write_lean(graph, tmp_path / "x.onnx", 0)
    model = onnx.load(tmp_path / "x.onnx", load_external_data=False)
    places = [
        {entry.key: entry.value for entry in weight.external_data}
        for weight in model.graph.initializer
        if weight.external_data
    ]
    assert {place["location"] for place in places} == {"x.onnx.data"}
    assert [int(place["offset"]) % 4096 for place in places] == [0, 0]
    last = places[-1]
    assert (tmp_path / "x.onnx.data").stat().st_size == int(last["offset"]) + int(last["length"])
    assert [entry.version for entry in model.opset_import] == [20]
    assert model.ir_version == 10


def test_a_broken_graph_is_not_written(graph: LeanGraph, tmp_path: Path) -> None:
    broken = onnx.ModelProto()
    broken.CopyFrom(graph.model)
    broken.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(BundleError, match=r"x\.onnx is not a valid ONNX graph.*NoSuchOperator"):
        write_lean(graph._replace(model=broken), tmp_path / "x.onnx", 0)
    assert list(tmp_path.iterdir()) == []
