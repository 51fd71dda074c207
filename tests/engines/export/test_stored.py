# SPDX-License-Identifier: Apache-2.0
"""Reading a graph without its weights: any spelling of its fields, and damaged files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

pytest.importorskip("onnx_ir", reason="export needs the train extra")

from sensebind.errors import BundleError
from sensebind_engines.export.lean import full_graph
from sensebind_engines.export.stored import read_lean

if TYPE_CHECKING:
    from pathlib import Path


def model_of(*sizes: int, raw: bool = True) -> ModelProto:
    """A graph of a chain of additions, with a fraction and a string among its attributes."""
    rng = np.random.default_rng(0)
    weights = []
    for index, size in enumerate(sizes):
        values = rng.standard_normal(size, dtype=np.float32)
        weights.append(numpy_helper.from_array(values, f"w{index}"))
        if not raw:
            weights[-1].ClearField("raw_data")
            weights[-1].float_data.extend(values)
    nodes = [
        helper.make_node("Add", [f"v{i}", f"w{i}"], [f"v{i + 1}"], note=0.5, words="x" * 300)
        for i in range(len(sizes))
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", None])
        for name in ("v0", f"v{len(sizes)}")
    ]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], weights)
    return helper.make_model(graph, producer_version="1", model_version=1 << 40)


@pytest.mark.parametrize("raw", [True, False])
def test_large_raw_weights_alone_stay_in_the_file(raw: bool, tmp_path: Path) -> None:
    path, model = tmp_path / "x.onnx", model_of(3, 255, 256, 70_000, raw=raw)
    path.write_bytes(model.SerializeToString())
    graph = read_lean(path)
    assert list(graph.weights) == (["w2", "w3"] if raw else [])
    assert full_graph(graph) == model
    for weight in model.graph.initializer:
        np.testing.assert_array_equal(graph.values(weight), numpy_helper.to_array(weight))


def test_a_file_of_several_pieces_is_their_merge(tmp_path: Path) -> None:
    """A message's bytes may come in pieces; those of a sub-message too."""
    first, second = model_of(300), ModelProto()
    second.graph.initializer.append(numpy_helper.from_array(np.ones(300, np.float32), "late"))
    path = tmp_path / "x.onnx"
    path.write_bytes(first.SerializeToString() + second.SerializeToString())
    merged = model_of(300)
    merged.MergeFrom(second)
    assert full_graph(read_lean(path)) == merged


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[:-1],
        lambda b: b[: len(b) // 2],
        lambda b: b"\x0b" + b,
        lambda _: b"\xff",
        lambda _: b"",
    ],
    ids=["one byte short", "half", "a group", "a number without end", "nothing"],
)
def test_damaged_files_are_refused(damage: object, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    assert callable(damage)
    path.write_bytes(damage(model_of(300).SerializeToString()))
    with pytest.raises(BundleError, match=r"x\.onnx is no ONNX graph \(.*copy or export it again"):
        read_lean(path)


@pytest.mark.parametrize("location", [None, "", ".", "../w.data", "/tmp/w.data", "sub/w.data"])
def test_weights_lie_beside_the_graph_and_nowhere_else(
    location: str | None, tmp_path: Path
) -> None:
    model, path = model_of(300), tmp_path / "x.onnx"
    (weight,) = model.graph.initializer
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    if location is not None:
        weight.external_data.add(key="location", value=location)
    else:
        weight.external_data.add(key="offset", value="0")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BundleError, match=r"x\.onnx has the weight 'w0' in '.*', expected a file"):
        read_lean(path)
