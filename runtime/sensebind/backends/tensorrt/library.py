# SPDX-License-Identifier: Apache-2.0
"""TensorRT, or TensorRT for RTX: which of them is installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal, NamedTuple

from sensebind.errors import InputError, MissingExtraError

Name = Literal["tensorrt", "tensorrt-rtx"]
NAMES: tuple[Name, ...] = ("tensorrt", "tensorrt-rtx")
MODULES: dict[Name, tuple[str, ...]] = {
    "tensorrt": ("tensorrt",),
    "tensorrt-rtx": ("tensorrt_rtx", "tensorrt_rtx_bindings"),
}
"""Backend to the names its module goes by."""


class Library(NamedTuple):
    """An installed TensorRT: the backend's name, the module, its version as in "10.3.0.26"."""

    name: Name
    trt: Any
    version: str


def open_library(name: str) -> Library:
    """Import the TensorRT of that name.

    Raises:
        InputError: no such backend.
        MissingExtraError: it is not installed.
    """
    known = next((each for each in NAMES if each == name), None)
    if known is None:
        raise InputError(f"no engines are built for {name!r}; there are: {', '.join(NAMES)}")
    for module in MODULES[known]:
        try:
            trt = import_module(module)
        except ImportError:
            continue
        version = getattr(trt, "__version__", None)
        if version is not None:  # a folder of that name, as of stubs, imports too
            return Library(known, trt, str(version))
    raise MissingExtraError(_SAID[known], known, _HINTS[known])


_SAID = {"tensorrt": "TensorRT", "tensorrt-rtx": "TensorRT for RTX"}
_HINTS = {
    "tensorrt": "TensorRT itself comes with JetPack, which a virtual environment sees if it was "
    "made with --system-site-packages; elsewhere: pip install tensorrt",
    "tensorrt-rtx": "",
}
