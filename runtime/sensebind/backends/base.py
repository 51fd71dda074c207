# SPDX-License-Identifier: Apache-2.0
"""What an engine is: a compiled network that turns batched features into vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Engine(Protocol):
    """One loaded network. Not thread-safe: one thread owns it.

    Attributes:
        backend: name of the backend that runs it.
        precision: what it computes in ("fp32", "fp16", …).
    """

    backend: str
    precision: str

    def run(self, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Run one batch: inputs by name with a leading batch axis, output float32 (batch, dim)."""
        ...

    def close(self) -> None:
        """Free the network; the engine cannot be used afterwards."""
        ...
