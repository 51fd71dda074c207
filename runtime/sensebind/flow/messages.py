# SPDX-License-Identifier: Apache-2.0
"""What the threads of a run tell the consumer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensebind.metrics.times import WindowTimes
    from sensebind.types import Embedding


@dataclass(frozen=True, slots=True)
class Encoded:
    """An embedding, and when its window passed which station."""

    embedding: Embedding
    times: WindowTimes


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody wants the run to end."""


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more comes; why, if that is an error."""

    error: BaseException | None = None


Message = Encoded | Stop | End
