# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on the CPU: the backend that runs everywhere, in FP32."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

# Releases from 1.29 on report to their makers from Linux too, unless told otherwise before they are
# loaded (Privacy.md of the package); a robot reports to nobody. The call in `open_session` serves a
# program that had loaded the library before us.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

from sensebind.backends.tensors import check_graph_tensor, check_inputs, check_output
from sensebind.errors import BackendError, BundleError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from sensebind.specs import TensorSpec

_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(int64)": "int64"}
_LOG_FATAL_ONLY = 4
"""Errors come as exceptions; the library would print them as well."""


class Session(Protocol):
    """A loaded graph: what is used of onnxruntime.InferenceSession, which has no types."""

    def run(
        self, output_names: list[str] | None, inputs: dict[str, NDArray[Any]]
    ) -> list[NDArray[np.float32]]:
        """Run one batch; all outputs if `output_names` is None."""
        ...

    def get_inputs(self) -> list[Any]:
        """Describe the inputs: name, type and shape."""
        ...

    def get_outputs(self) -> list[Any]:
        """Describe the outputs: name, type and shape."""
        ...


class OnnxRuntimeEngine:
    """One graph in one ONNX Runtime session. Not thread-safe: one thread owns it."""

    backend = "onnxruntime"
    precision = "fp32"

    def __init__(
        self, session: Session, path: Path, inputs: tuple[TensorSpec, ...], output: TensorSpec
    ) -> None:
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
            (output,) = self._session.run([self._output.name], inputs)
        except Exception as error:
            raise BackendError(f"ONNX Runtime failed on {self._path}: {error}") from error
        check_output(self._output, output, batch)
        return output

    def close(self) -> None:
        """Free the session."""
        self._session = None


def open_engine(
    path: Path, inputs: tuple[TensorSpec, ...], output: TensorSpec, threads: int
) -> OnnxRuntimeEngine:
    """Load `path` on the CPU and check its tensors against the manifest.

    Raises:
        BackendError: if ONNX Runtime refuses the file, with its reason.
        BundleError: if the graph's tensors are not those given.
    """
    try:
        session = open_session(str(path), threads)
    except Exception as error:
        raise BackendError(
            f"ONNX Runtime {ort.__version__} cannot load {path}: {error}; the file is damaged or "
            "was made for a newer version"
        ) from error
    _check_tensors(path, "input", session.get_inputs(), inputs)
    _check_tensors(path, "output", session.get_outputs(), (output,))
    return OnnxRuntimeEngine(session, path, inputs, output)


def open_session(graph: str | bytes, threads: int) -> Session:
    """Load a graph, by path or as bytes, as every graph of a bundle is loaded."""
    ort.disable_telemetry_events()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _LOG_FATAL_ONLY
    # Idle worker threads that spin would take the cores that drivers and preprocessing need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session: Session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return session


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
