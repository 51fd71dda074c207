# SPDX-License-Identifier: Apache-2.0
"""Engine backends, chosen from one literal table; each imports its library when it opens one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sensebind.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.backends.base import Engine
    from sensebind.specs import TensorSpec

_OPENERS = {"onnxruntime": "sensebind.backends.onnxruntime"}
"""Backend name to the module whose `open_engine` loads a graph."""

_AUTOMATIC = ("onnxruntime", "ONNX Runtime on the CPU: the one backend of this version")


def resolve_backend(name: str) -> tuple[str, str]:
    """Turn a requested backend into the one that will run, and the reason in words.

    Raises:
        InputError: if there is no such backend, naming those there are.
    """
    if name == "auto":
        return _AUTOMATIC
    if name not in _OPENERS:
        known = ", ".join(["auto", *_OPENERS])
        raise InputError(f"there is no backend {name!r}; choose one of: {known}")
    return name, "asked for"


def open_engine(
    backend: str,
    onnx_path: Path,
    inputs: tuple[TensorSpec, ...],
    output: TensorSpec,
    threads: int = 1,
    sha256: str = "",
) -> Engine:
    """Load one graph on a backend and check it against the manifest's tensors.

    Args:
        backend: a backend's name, or "auto".
        onnx_path: the clean FP32 ONNX graph.
        inputs: tensors the graph must take.
        output: tensor it must give.
        threads: threads one run may use.
        sha256: of the graph's file, which was checked; "" if it was not.

    Raises:
        BackendError: if the graph cannot be loaded.
        BundleError: if its tensors are not those of the manifest.
        InputError: if there is no such backend.
    """
    name, _ = resolve_backend(backend)
    engine: Engine = import_module(_OPENERS[name]).open_engine(
        onnx_path, inputs, output, threads, sha256
    )
    return engine
