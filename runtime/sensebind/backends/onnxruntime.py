# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on the CPU: the backend that runs everywhere, in FP32 or, where asked, INT8."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.backends.onnx_session import VERSION, Session
from sensebind.backends.optimised import Graph
from sensebind.backends.tensors import (
    check_graph_tensors,
    check_inputs,
    check_output,
    single_rows,
)
from sensebind.backends.threads import open_with_threads
from sensebind.errors import BackendError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.specs import TensorSpec

_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(int64)": "int64"}


class OnnxRuntimeEngine:
    """One graph in one ONNX Runtime session. Not thread-safe: one thread owns it."""

    backend = "onnxruntime"

    def __init__(
        self,
        session: Session,
        path: Path,
        inputs: tuple[TensorSpec, ...],
        output: TensorSpec,
        precision: str = "fp32",
    ) -> None:
        self.precision = precision
        self._session: Session | None = session
        self._path = path
        self._inputs = inputs
        self._output = output

    def run(self, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Run one batch: inputs by name with a leading batch axis, output float32 (batch, dim).

        Raises:
            InputError: if an input's name, dtype or shape is not the manifest's.
            BackendError: if the run fails or the engine is closed.
        """
        batch = check_inputs(self._inputs, inputs)
        if self._session is None:
            raise BackendError(f"the engine of {self._path} is closed; load the bundle again")
        try:
            output = self._output_of(self._session, inputs, batch)
        except Exception as error:
            raise BackendError(f"ONNX Runtime failed on {self._path}: {error}") from error
        check_output(self._output, output, batch)
        return output

    def _output_of(
        self, session: Session, inputs: dict[str, NDArray[Any]], batch: int
    ) -> NDArray[np.float32]:
        if self.precision != "int8" or batch == 1:
            return session.run([self._output.name], inputs)[0]
        # The scales of INT8 products may be those of a whole batch: rows would depend on others.
        parts = [session.run([self._output.name], row)[0] for row in single_rows(inputs)]
        return np.concatenate(parts)

    def close(self) -> None:
        """Free the session."""
        self._session = None


def open_engine(
    path: Path,
    inputs: tuple[TensorSpec, ...],
    output: TensorSpec,
    threads: int,
    sha256: str = "",
    precision: str = "fp32",
) -> OnnxRuntimeEngine:
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
    try:
        session = open_with_threads(Graph(path, inputs, sha256), threads)
    except Exception as error:
        raise BackendError(
            f"ONNX Runtime {VERSION} cannot load {path}: {error}; the file is damaged or "
            "was made for a newer version"
        ) from error
    check_graph_tensors(path, "input", inputs, _told(session.get_inputs()))
    check_graph_tensors(path, "output", (output,), _told(session.get_outputs()))
    return OnnxRuntimeEngine(session, path, inputs, output, precision)


def _told(tensors: list[Any]) -> dict[str, tuple[str, list[int | str | None]]]:
    """Dtype and axes of the tensors of a session, by name."""
    return {t.name: (_DTYPES.get(t.type, t.type), t.shape) for t in tensors}
