# SPDX-License-Identifier: Apache-2.0
"""What a build may be asked for. All of it is part of the plan's identity."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from sensebind.errors import ConfigError
from sensebind.specs import Count, Strict

Compatibility = Literal["none", "ampere_plus", "same_compute_capability"]


class BuildOptions(Strict, frozen=True):
    """How a plan is built.

    Attributes:
        precision: "fp16" takes the bundle's half graph, "fp32" the other.
        batch: least, best and largest batch the plan takes.
        workspace_mib: limit of the memory that kernels may use beside the activations; on a board
            whose GPU shares the memory, what the rest of the robot can spare.
        level: 0 to 5, how long the builder looks for faster kernels.
        timing_cache: reuse what earlier builds timed on this GPU. Not for TensorRT-RTX, which times
            nothing when it builds.
        hardware: run on other GPUs than this one, at some cost in speed.
        version_compatible: run on later versions of TensorRT, at some cost in speed.
        compute_capabilities: TensorRT-RTX: GPU generations to build for ("86", "89", "120", …).
    """

    precision: Literal["fp16", "fp32"] = "fp16"
    batch: tuple[Count, Count, Count] = (1, 1, 8)
    workspace_mib: Count = 1024
    level: Annotated[int, Meta(ge=0, le=5)] = 3
    timing_cache: bool = True
    hardware: Compatibility = "none"
    version_compatible: bool = False
    compute_capabilities: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that the batches are in order."""
        if list(self.batch) != sorted(self.batch):
            raise ConfigError(
                f"batch is {self.batch}, expected least <= best <= largest, for example 1,1,8"
            )
