# SPDX-License-Identifier: Apache-2.0
"""An engine that can be told from others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sensebind.backends.base import Engine


class NamedEngine:
    """A real engine under a name of its own, that is never run after it was closed."""

    precision = "fp32"

    def __init__(self, backend: str, engine: Engine) -> None:
        self.backend = backend
        self.closed_by: list[str] = []
        self._engine = engine

    def run(self, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        assert not self.closed_by
        return self._engine.run(inputs)

    def close(self) -> None:
        self.closed_by.append(threading.current_thread().name)
        self._engine.close()
