# SPDX-License-Identifier: Apache-2.0
"""What sets the builders of TensorRT, of its versions and of TensorRT for RTX apart.

One code path serves all from 10.3 on; what differs is asked of the module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sensebind.backends.tensorrt.library import Name, open_library


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
    return Flavour(*open_library(name))
