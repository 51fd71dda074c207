# SPDX-License-Identifier: Apache-2.0
"""Graphs that `benchmarks.engines` runs beside a bundle's own.

Made once, by `python -m benchmarks._engine_graphs BUNDLE FOLDER` (extra `train`), where BUNDLE is
that of `benchmarks._imagebind`: INT8 forms of its encoders (their weights are random, so nobody
asks what became of the vectors), one large matrix product, and encoders of one size twice: whole,
and as stems and heads around one trunk.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks._imagebind import SENSES
from sensebind.bundle_folder import open_bundle
from sensebind.specs import TensorSpec
from sensebind_engines.export.check import write_graph
from sensebind_engines.export.onnx_export import export_onnx
from sensebind_engines.int8.quantise import quantised
from sensebind_engines.models.build import build_encoder
from sensebind_engines.models.config import Transformer, input_specs
from sensebind_engines.models.sizes import default_config

MATRIX_SIDE = 2048
TRUNK_SIZE = "base"


def build(bundle: Path, folder: Path) -> None:
    """Write all graphs; those that are there are left."""
    for name in ("int8", "trunk"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    source = open_bundle(bundle)
    for sense in SENSES:
        path = folder / "int8" / f"{sense}.onnx"
        if not path.exists():
            graph = source.file(source.encoder(sense).onnx)
            write_graph(quantised(graph, "dynamic", {}), path)
    if not (folder / "matmul.onnx").exists():
        onnx.save(_matrix_product(), str(folder / "matmul.onnx"))
    _trunks(folder / "trunk")


def _matrix_product() -> onnx.ModelProto:
    side = MATRIX_SIDE
    matrix = np.random.default_rng(0).standard_normal((side, side)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["features", "matrix"], ["product"])],
        "matmul",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [side, side])],
        [helper.make_tensor_value_info("product", TensorProto.FLOAT, [side, side])],
        [numpy_helper.from_array(matrix, "matrix")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def _trunks(folder: Path) -> None:
    """Encoders of one size, and the parts that a shared trunk would have."""
    for sense in SENSES:
        config = default_config(sense, TRUNK_SIZE)
        network = build_encoder(config).eval().network
        sizes = config.network
        assert isinstance(sizes, Transformer)
        (features,) = input_specs(config)
        tokens = TensorSpec(name="tokens", dtype="float32", shape=("batch", "tokens", sizes.width))
        token = TensorSpec(name="token", dtype="float32", shape=("batch", sizes.width))
        write_graph(export_onnx(network, [features]), folder / f"{sense}.onnx")
        write_graph(export_onnx(network.stem, [features]), folder / f"{sense}.stem.onnx")
        write_graph(export_onnx(network.head, [token]), folder / f"{sense}.head.onnx")
    write_graph(export_onnx(network.trunk, [tokens]), folder / "trunk.onnx")


def main() -> None:
    """Build the graphs in the folder given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bundle", type=Path, help="of benchmarks._imagebind")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    build(options.bundle, options.folder)
    print(options.folder)


if __name__ == "__main__":
    main()
