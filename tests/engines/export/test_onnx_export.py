# SPDX-License-Identifier: Apache-2.0
"""Exported graphs compute what their modules compute, for every batch, in the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="export needs the train extra")
pytest.importorskip("onnxscript", reason="export needs the train extra")

import torch

from sensebind.specs import TensorSpec
from sensebind_engines.export.check import largest_difference
from sensebind_engines.export.onnx_export import OPSET, export_onnx
from sensebind_engines.models.minilm import MiniLM, MiniLMSize

if TYPE_CHECKING:
    from onnx import ModelProto

TOKENS = tuple(
    TensorSpec(name=name, dtype="int64", shape=("batch", "tokens"))
    for name in ("input_ids", "attention_mask")
)


@pytest.fixture(scope="module")
def model() -> MiniLM:
    """Two random layers of a text tower."""
    torch.manual_seed(0)
    size = MiniLMSize(vocabulary=50, positions=16, dim=12, heads=3, hidden=24, layers=2)
    made = MiniLM(size)
    made.eval()
    return made


@pytest.fixture(scope="module")
def graph(model: MiniLM) -> ModelProto:
    """The tower's graph."""
    return export_onnx(model, TOKENS, "vector")


@pytest.mark.parametrize("tokens", [1, 5, 16])
@pytest.mark.parametrize("batch", [1, 3, 8])
def test_equals_the_module(model: MiniLM, graph: ModelProto, batch: int, tokens: int) -> None:
    random = np.random.default_rng(batch)
    mask = (np.arange(tokens) < random.integers(1, tokens + 1, (3, 1))).astype(np.int64)
    features = {"input_ids": random.integers(0, 50, (3, tokens)), "attention_mask": mask}
    assert largest_difference(graph.SerializeToString(), model, features, batch) < 1e-6


def test_a_second_export_has_the_same_bytes(model: MiniLM, graph: ModelProto) -> None:
    assert export_onnx(model, TOKENS, "vector").SerializeToString() == graph.SerializeToString()


def test_names_and_axes_are_those_asked_for(graph: ModelProto) -> None:
    axes = [
        [axis.dim_param for axis in value.type.tensor_type.shape.dim] for value in graph.graph.input
    ]
    assert [value.name for value in graph.graph.input] == ["input_ids", "attention_mask"]
    assert axes == [["batch", "tokens"]] * 2
    assert [value.name for value in graph.graph.output] == ["vector"]


def test_an_output_may_be_called_like_an_operator() -> None:
    # The exporter calls what an embedding table gives "embedding", too.
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Embedding(4, 3), torch.nn.Tanh())
    spec = TensorSpec(name="ids", dtype="int64", shape=("batch", 2))
    features = {"ids": np.array([[0, 3], [1, 2]])}
    graph = export_onnx(module, [spec], "embedding").SerializeToString()
    assert largest_difference(graph, module, features, 2) < 1e-6


def test_old_readers_can_load_it(graph: ModelProto) -> None:
    assert graph.ir_version == 10
    assert [(entry.domain, entry.version) for entry in graph.opset_import] == [("", OPSET)]
    assert OPSET <= 20
