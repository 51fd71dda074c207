# SPDX-License-Identifier: Apache-2.0
"""TensorRT, or TensorRT for RTX: which of them is installed, and what sets them apart.

One code path serves both and all versions from 10.3 on; what differs is asked of the module.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from sensebind.errors import InputError, MissingExtraError

Name = Literal["tensorrt", "tensorrt-rtx"]
MODULES: dict[str, tuple[str, ...]] = {
    "tensorrt": ("tensorrt",),
    "tensorrt-rtx": ("tensorrt_rtx", "tensorrt_rtx_bindings"),
}
"""Backend to the names its module goes by."""


@dataclass(frozen=True)
class Flavour:
    """An installed TensorRT.

    Attributes:
        name: of the backend.
        trt: the module.
        version: in full, as in "10.3.0.26".
    """

    name: Name
    trt: Any
    version: str

    @property
    def is_rtx(self) -> bool:
        """Whether engines are built ahead of time for GPU generations, without a GPU."""
        return self.name == "tensorrt-rtx"

    @property
    def has_typing_flag(self) -> bool:
        """Whether strong typing has to be asked for: it is the only way from 11 on."""
        flags = self.trt.NetworkDefinitionCreationFlag.__members__
        return not self.is_rtx and "STRONGLY_TYPED" in flags

    @property
    def capabilities(self) -> tuple[str, ...]:
        """GPU generations that engines can be built for without such a GPU, as in "86"."""
        known = self.trt.ComputeCapability.__members__ if self.is_rtx else ()
        return tuple(name.removeprefix("SM") for name in known if name.startswith("SM"))


def open_flavour(name: str) -> Flavour:
    """Import the TensorRT of that name.

    Raises:
        InputError: no such backend.
        MissingExtraError: it is not installed.
    """
    if name not in MODULES:
        raise InputError(f"no engines are built for {name!r}; there are: {', '.join(MODULES)}")
    for module in MODULES[name]:
        try:
            trt = import_module(module)
        except ImportError:
            continue
        return Flavour(
            "tensorrt-rtx" if name == "tensorrt-rtx" else "tensorrt", trt, str(trt.__version__)
        )
    raise MissingExtraError(f"Building engines for {name}", name)
