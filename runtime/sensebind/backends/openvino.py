# SPDX-License-Identifier: Apache-2.0
"""OpenVINO on the CPU: BF16 where the processor multiplies it, FP32 elsewhere.

BF16 keeps FP32's range and 8 bits of its 24: vectors differ by some 1e-3, so they are not the bytes
that ONNX Runtime gives, and the records of a run name the precision.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sensebind.backends.tensors import check_graph_tensors, check_inputs, check_output
from sensebind.errors import BackendError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from sensebind.specs import TensorSpec

_DTYPES = {"f32": "float32", "f16": "float16", "i64": "int64"}
_BF16 = "BF16"

_TELEMETRY = "openvino_telemetry"
"""OpenVINO reports to its makers when it is imported, and does without where this is missing; a
robot reports to nobody."""


class OpenVinoEngine:
    """One graph, compiled for the CPU. Not thread-safe: one thread owns it."""

    backend = "openvino"

    def __init__(
        self,
        request: Any,  # noqa: ANN401 - openvino.InferRequest, which is optional
        path: Path,
        inputs: tuple[TensorSpec, ...],
        output: TensorSpec,
        precision: str,
    ) -> None:
        self.precision = precision
        self._request = request
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
        if self._request is None:
            raise BackendError(f"the engine of {self._path} is closed; load the bundle again")
        try:
            results = self._request.infer(inputs)
            output: NDArray[np.float32] = results[self._output.name].copy()
        except Exception as error:
            raise BackendError(f"OpenVINO failed on {self._path}: {error}") from error
        check_output(self._output, output, batch)
        return output

    def close(self) -> None:
        """Free the compiled graph."""
        self._request = None


def open_engine(
    path: Path,
    inputs: tuple[TensorSpec, ...],
    output: TensorSpec,
    threads: int,
    sha256: str = "",
    precision: str = "fp32",
) -> OpenVinoEngine:
    """Compile `path` for the CPU and check its tensors against the manifest.

    Args:
        path: the graph.
        inputs: tensors it must take.
        output: tensor it must give.
        threads: threads that a run uses.
        sha256: not needed: nothing is kept.
        precision: of the graph; what it computes in is decided by the processor.

    Raises:
        MissingExtraError: if OpenVINO is not installed.
        BackendError: if OpenVINO refuses the file, with its reason.
        BundleError: if the graph's tensors are not those given.
    """
    del sha256, precision
    openvino = _library()
    core = openvino.Core()
    half = _BF16 in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    options = {
        "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        # Which cores are used is the user's business, as with every other backend.
        "ENABLE_CPU_PINNING": False,
    }
    try:
        model = core.read_model(str(path))
        compiled = core.compile_model(model, "CPU", options)
    except Exception as error:
        raise BackendError(
            f"OpenVINO {openvino.__version__} cannot load {path}: {error}; the file is damaged or "
            "was made for a newer version"
        ) from error
    check_graph_tensors(path, "input", inputs, _told(compiled.inputs))
    check_graph_tensors(path, "output", (output,), _told(compiled.outputs))
    request = compiled.create_infer_request()
    return OpenVinoEngine(request, path, inputs, output, "bf16" if half else "fp32")


def _library() -> Any:  # noqa: ANN401 - a module that is optional
    try:
        with _without(_TELEMETRY):
            import openvino
    except ImportError:
        raise MissingExtraError("the backend 'openvino'", "openvino") from None
    return openvino


@contextmanager
def _without(module: str) -> Iterator[None]:
    """Let imports go on as if a module were not installed."""
    if module in sys.modules:
        yield
        return
    # None is how the import system spells "absent".
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]


def _told(ports: list[Any]) -> dict[str, tuple[str, list[int | str | None]]]:
    """Dtype and axes of the tensors of a compiled graph, by name."""
    found = {}
    for port in ports:
        dtype = port.element_type.get_type_name()
        axes = [None if axis.is_dynamic else axis.get_length() for axis in port.partial_shape]
        found[port.any_name] = (_DTYPES.get(dtype, dtype), axes)
    return found
