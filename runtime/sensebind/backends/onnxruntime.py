# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on the CPU: the backend that runs everywhere, in FP32 or, where asked, INT8."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.backends.onnx_session import VERSION, Session
from sensebind.backends.optimised import Graph
from sensebind.backends.tensors import check_graph_tensor, check_inputs, check_output
from sensebind.backends.threads import open_with_threads
from sensebind.errors import BackendError, BundleError

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
        rows = ({name: a[row : row + 1] for name, a in inputs.items()} for row in range(batch))
        return np.concatenate([session.run([self._output.name], row)[0] for row in rows])

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
    _check_tensors(path, "input", session.get_inputs(), inputs)
    _check_tensors(path, "output", session.get_outputs(), (output,))
    return OnnxRuntimeEngine(session, path, inputs, output, precision)


def _check_tensors(path: Path, role: str, found: list[Any], specs: tuple[TensorSpec, ...]) -> None:
    have, expected = {tensor.name: tensor for tensor in found}, {spec.name for spec in specs}
    if set(have) != expected:
        raise BundleError(
            f"{path}: the graph's {role}s are {sorted(have)}, the manifest says "
            f"{sorted(expected)}; export the bundle again"
        )
    for spec in specs:
        tensor = have[spec.name]
        dtype = _DTYPES.get(tensor.type, tensor.type)
        check_graph_tensor(f"{path}: {role}", spec, tensor.name, dtype, tensor.shape)
