# SPDX-License-Identifier: Apache-2.0
"""Half graphs made with the weights left in their files equal those made of whole graphs.

The graphs are the demo bundle's: of convolutions, and a transformer with weights stored as half.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

pytest.importorskip("torch", reason="export needs the train extra")
pytest.importorskip("onnxscript", reason="export needs the train extra")

from onnx import TensorProto, helper

from sensebind.backends.onnx_session import open_session
from sensebind.storage import data_folder
from sensebind_engines.export.check import write_lean
from sensebind_engines.export.lean import LeanGraph, full_graph
from sensebind_engines.export.stored import read_lean
from sensebind_engines.half.export import export_half
from sensebind_engines.half.graph import with_half_weights
from sensebind_engines.half.islands import fp32_nodes
from sensebind_engines.half.observed import float_values, observe

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.types import Features

DEMO = data_folder() / "bundles" / "demo"
TRAINED = ["depth", "thermal", "audio", "imu"]


def golden(modality: str) -> Features:
    """The features in the bundle."""
    with np.load(DEMO / "golden.npz") as arrays:
        return {
            name.partition("/")[2]: arrays[name]
            for name in arrays
            if name.startswith(f"{modality}/") and not name.endswith("/embedding")
        }


def naive_half(path: Path) -> bytes:
    """The half graph by way of one message that holds all weights, without wide values."""
    graph = LeanGraph(onnx.load(path), {})
    half = with_half_weights(graph, fp32_nodes(graph, (), "fp32"))
    content: bytes = half.model.SerializeToString(deterministic=True)
    return content


def naive_values(path: Path, features: Features) -> dict[str, list[np.ndarray]]:
    """Every float value of every row, of one session with the whole graph in memory."""
    model = onnx.load(path)
    inputs = {value.name for value in model.graph.input}
    names = [name for name in float_values(model) if name not in inputs]
    del model.graph.output[:]
    model.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names
    )
    session = open_session(model.SerializeToString(), 1)
    values: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for row in range(len(next(iter(features.values())))):
        one = {name: array[row : row + 1] for name, array in features.items()}
        for name, value in zip(names, session.run(names, one), strict=True):
            values[name].append(value)
    floats = {name: array for name, array in features.items() if array.dtype == np.float32}
    return values | {name: [row[None] for row in array] for name, array in floats.items()}


@pytest.mark.parametrize("modality", [*TRAINED, "text"])
def test_the_file_is_that_of_the_whole_graph(modality: str, tmp_path: Path) -> None:
    path = tmp_path / f"{modality}.onnx"
    shutil.copyfile(DEMO / path.name, path)
    graph = read_lean(path)
    write_lean(with_half_weights(graph, fp32_nodes(graph, (), "fp32")), tmp_path / "half.onnx")
    assert (tmp_path / "half.onnx").read_bytes() == naive_half(path)


@pytest.mark.parametrize("modality", TRAINED)
def test_the_bundle_has_the_same_files(modality: str, tmp_path: Path) -> None:
    path = tmp_path / f"{modality}.onnx"
    shutil.copyfile(DEMO / path.name, path)
    written = tmp_path / export_half(path, golden(modality)).onnx
    assert written.read_bytes() == (DEMO / written.name).read_bytes()
    assert sorted(tmp_path.iterdir()) == sorted([path, written])


@pytest.mark.parametrize("modality", ["imu", "text"])
@pytest.mark.parametrize("limit_bytes", [0, 1 << 30])
def test_ranges_are_those_of_the_whole_graph(
    modality: str, limit_bytes: int, tmp_path: Path
) -> None:
    """Weights beside the graph, or in it."""
    path, features = tmp_path / f"{modality}.onnx", golden(modality)
    write_lean(read_lean(DEMO / path.name), path, limit_bytes)
    before = sorted(tmp_path.iterdir())
    observed, values = observe(path, features), naive_values(DEMO / path.name, features)
    assert observed.shapes == {name: rows[-1].shape for name, rows in values.items()}
    assert observed.largest == pytest.approx(
        {name: max(float(np.abs(row).max()) for row in rows) for name, rows in values.items()},
        rel=1e-5,
    )
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("modality", ["imu", "text"])
def test_a_large_weight_that_half_cannot_hold_is_found_in_its_file(
    modality: str, tmp_path: Path
) -> None:
    graph = read_lean(DEMO / f"{modality}.onnx")
    weight = next(w for w in graph.external if w.data_type == TensorProto.FLOAT)
    huge = np.full_like(graph.array(weight.name), 1e5)
    changed = LeanGraph(graph.model, {**graph.weights, weight.name: lambda: huge})
    reading = {i for i, n in enumerate(graph.model.graph.node) if weight.name in n.input}
    added = fp32_nodes(changed, (), "fp32") - fp32_nodes(graph, (), "fp32")
    assert added <= reading <= fp32_nodes(changed, (), "fp32")
    assert added


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    graph = read_lean(DEMO / "imu.onnx")
    assert graph.model.ByteSize() < 50_000
    assert full_graph(graph) == onnx.load(DEMO / "imu.onnx")
    write_lean(graph, tmp_path / "x.onnx", 0)
    beside = read_lean(tmp_path / "x.onnx")
    assert beside.model == graph.model
    assert full_graph(beside) == full_graph(graph)
