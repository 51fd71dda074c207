# SPDX-License-Identifier: Apache-2.0
"""OpenVINO on the CPU: BF16 where the processor multiplies it, FP32 elsewhere.

BF16 keeps FP32's range and 8 bits of its 24: vectors differ by some 1e-3, so they are not the bytes
that ONNX Runtime gives, and the records of a run name the precision.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sensebind.backends.graph_engine import GraphEngine, Library, Loaded
from sensebind.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from sensebind.backends.tensors import GraphTensors
    from sensebind.specs import TensorSpec

_DTYPES = {"f32": "float32", "f16": "float16", "i64": "int64"}
_BF16 = "BF16"

_TELEMETRY = "openvino_telemetry"
"""OpenVINO reports to its makers when it is imported, and does without where this is missing; a
robot reports to nobody."""


def open_engine(
    path: Path,
    inputs: tuple[TensorSpec, ...],
    output: TensorSpec,
    threads: int,
    sha256: str = "",
    precision: str = "fp32",
) -> GraphEngine:
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
    openvino = _imported()

    def load() -> Loaded:
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
        compiled = core.compile_model(core.read_model(str(path)), "CPU", options)
        request = compiled.create_infer_request()

        def infer(features: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
            vectors: NDArray[np.float32] = request.infer(features)[output.name].copy()
            return vectors

        return Loaded(
            _told(compiled.inputs), _told(compiled.outputs), "bf16" if half else "fp32", infer
        )

    library = Library("openvino", "OpenVINO", openvino.__version__)
    return GraphEngine(library, path, inputs, output, load)


def _imported() -> Any:  # noqa: ANN401 - a module that is optional
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


def _told(ports: list[Any]) -> GraphTensors:
    """Dtype and axes of the tensors of a compiled graph, by name."""
    found = {}
    for port in ports:
        dtype = port.element_type.get_type_name()
        axes = [None if axis.is_dynamic else axis.get_length() for axis in port.partial_shape]
        found[port.any_name] = (_DTYPES.get(dtype, dtype), axes)
    return found
