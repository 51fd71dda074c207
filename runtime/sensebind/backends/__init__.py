# SPDX-License-Identifier: Apache-2.0
"""Engine backends, chosen from one literal table; each imports its library when it opens one."""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from sensebind.backends.tensorrt.choice import choose
from sensebind.backends.tensorrt.library import NAMES as _TENSORRT
from sensebind.errors import BackendError, InputError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sensebind.backends.base import Engine
    from sensebind.backends.tensorrt.choice import PlanRequest
    from sensebind.specs import TensorSpec

INT8 = "onnxruntime-int8"
"""ONNX Runtime with the INT8 graphs of those encoders that have one."""

_OPENERS = {
    "onnxruntime": "sensebind.backends.onnxruntime",
    INT8: "sensebind.backends.onnxruntime",
    "openvino": "sensebind.backends.openvino",
}
"""Backend name to the module whose `open_engine` loads a graph; TensorRT's load plans."""

_AUTOMATIC = "onnxruntime"
_BY_REQUEST = "openvino"

_log = logging.getLogger(__name__)


def resolve_backend(name: str, requests: Sequence[PlanRequest] = ()) -> tuple[str, str]:
    """Turn a requested backend into the one that will run, and the reason in words.

    Args:
        name: a backend's name, or "auto": TensorRT if this machine has it, a GPU, and a plan of at
            least one encoder, else the CPU.
        requests: what the encoders ask of plans.

    Raises:
        InputError: if there is no such backend, naming those there are.
    """
    if name == "auto":
        found, reason = choose(requests)
        if found is not None:
            return found, reason
        return _AUTOMATIC, f"FP32 on the CPU, the bundle's own numbers; {reason}{_others()}"
    known = [*_OPENERS, *_TENSORRT]
    if name not in known:
        raise InputError(
            f"there is no backend {name!r}; choose one of: {', '.join(['auto', *known])}"
        )
    return name, "asked for"


def open_engine(
    backend: str,
    onnx_path: Path,
    inputs: tuple[TensorSpec, ...],
    output: TensorSpec,
    threads: int = 1,
    sha256: str = "",
    request: PlanRequest | None = None,
    precision: str = "fp32",
) -> Engine:
    """Load one graph, or its plan, on a backend and check it against the manifest's tensors.

    With "auto", an encoder whose plan is missing or unusable runs on the CPU, which is logged.

    Args:
        backend: a backend's name, or "auto".
        onnx_path: the clean ONNX graph.
        inputs: tensors the graph must take.
        output: tensor it must give.
        threads: threads one run may use.
        sha256: of the graph's file, which was checked; "" if it was not.
        request: what is asked of a plan; without it none is looked for.
        precision: what the graph's products are of: "fp32" or "int8".

    Raises:
        BackendError: if the graph or plan cannot be loaded.
        BundleError: if its tensors are not those of the manifest.
        InputError: if there is no such backend.
        MissingExtraError: if what the backend needs is not installed.
    """
    name, _ = resolve_backend(backend, () if request is None else (request,))
    if name in _TENSORRT:
        if request is None:
            raise InputError(f"{name} runs plans of a bundle's encoders; load a Bundle instead")
        plans = import_module("sensebind.backends.tensorrt.engine")
        try:
            engine: Engine = plans.open_engine(name, inputs, output, request)
        except (BackendError, MissingExtraError) as error:
            if backend != "auto":
                raise
            _log.warning("%s runs on the CPU: %s", request.modality, error)
            name = _AUTOMATIC
        else:
            return engine
    graph: Engine = import_module(_OPENERS[name]).open_engine(
        onnx_path, inputs, output, threads, sha256, precision
    )
    return graph


def _others() -> str:
    """What else this machine has, which changes vectors and so has to be asked for."""
    if find_spec(_BY_REQUEST) is None:
        return ""
    return f"; {_BY_REQUEST} is installed too: sensebind bench --backend {_AUTOMATIC},{_BY_REQUEST}"
