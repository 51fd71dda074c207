# SPDX-License-Identifier: Apache-2.0
"""Graphs that break the bundle's contract are not written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="checks compare with torch modules")

import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper

from sensebind.errors import BundleError
from sensebind_engines.export.canonical import canonicalise
from sensebind_engines.export.check import largest_difference, write_graph

if TYPE_CHECKING:
    from pathlib import Path


def _model(batch: str | int = "batch", opset: int = 20, operator: str = "MatMul") -> ModelProto:
    node = helper.make_node(operator, ["features", "weight"], ["embedding"])
    weight = numpy_helper.from_array(np.array([[1, 2], [3, 4]], np.float32), "weight")
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 2])
        for name in ("features", "embedding")
    ]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], [weight])
    return canonicalise(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]))


def test_a_good_graph_is_written_as_returned(tmp_path: Path) -> None:
    content = write_graph(_model(), tmp_path / "good.onnx")
    assert (tmp_path / "good.onnx").read_bytes() == content
    assert ModelProto.FromString(content) == _model()


def test_a_fixed_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"x\.onnx: axis 0 of 'features' must be dynamic"):
        write_graph(_model(batch=1), tmp_path / "x.onnx")


def test_a_newer_opset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"opsets {'': 21}, expected 10 and .* up to 20"):
        write_graph(_model(opset=21), tmp_path / "x.onnx")


def test_another_ir_version_is_refused(tmp_path: Path) -> None:
    model = _model()
    model.ir_version = 11
    with pytest.raises(BundleError, match="IR version 11"):
        write_graph(model, tmp_path / "x.onnx")


def test_traces_of_the_build_are_refused(tmp_path: Path) -> None:
    model = _model()
    model.graph.node[0].doc_string = "made at noon"
    with pytest.raises(BundleError, match="not canonical"):
        write_graph(model, tmp_path / "x.onnx")


def test_an_invalid_graph_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(b"earlier")
    with pytest.raises(BundleError, match=r"x\.onnx is not a valid ONNX graph.*NoSuchOperator"):
        write_graph(_model(operator="NoSuchOperator"), path)
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_a_difference_is_measured(tmp_path: Path) -> None:
    layer = torch.nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 3.0], [2.0, 4.5]]))
    graph = write_graph(_model(), tmp_path / "x.onnx")
    features = {"features": np.array([[1, 1], [0, 2]], np.float32)}
    assert largest_difference(graph, layer, features, batch=3) == pytest.approx(1.0)
    assert largest_difference(graph, layer, features, batch=1) == pytest.approx(0.5)
