# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on the CPU: the backend that runs everywhere, in FP32 or, where asked, INT8."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.backends.graph_engine import GraphEngine, Library, Loaded
from sensebind.backends.onnx_session import VERSION
from sensebind.backends.optimised import Graph
from sensebind.backends.tensors import single_rows
from sensebind.backends.threads import open_with_threads

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.backends.graph_engine import Infer
    from sensebind.backends.tensors import GraphTensors
    from sensebind.specs import TensorSpec

_LIBRARY = Library("onnxruntime", "ONNX Runtime", VERSION)
_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(int64)": "int64"}


def open_engine(
    path: Path,
    inputs: tuple[TensorSpec, ...],
    output: TensorSpec,
    threads: int,
    sha256: str = "",
    precision: str = "fp32",
) -> GraphEngine:
    """Load `path` on the CPU and check its tensors against the manifest.

    Args:
        path: the graph.
        inputs: tensors it must take.
        output: tensor it must give.
        threads: most threads that a run may use; see `sensebind.backends.threads`.
        sha256: of the file, which was checked. Only with it is there an optimised copy.
        precision: what the graph's products are of.

    Raises:
        BackendError: if ONNX Runtime refuses the file, with its reason.
        BundleError: if the graph's tensors are not those given.
    """

    def load() -> Loaded:
        session = open_with_threads(Graph(path, inputs, sha256), threads)

        def infer(features: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
            return session.run([output.name], features)[0]

        return Loaded(
            _told(session.get_inputs()),
            _told(session.get_outputs()),
            precision,
            _row_by_row(infer) if precision == "int8" else infer,
        )

    return GraphEngine(_LIBRARY, path, inputs, output, load)


def _row_by_row(infer: Infer) -> Infer:
    """The scales of INT8 products may be those of a whole batch: rows would depend on others."""
    return lambda features: np.concatenate([infer(row) for row in single_rows(features)])


def _told(tensors: list[Any]) -> GraphTensors:
    """Dtype and axes of the tensors of a session, by name."""
    return {t.name: (_DTYPES.get(t.type, t.type), t.shape) for t in tensors}
