# SPDX-License-Identifier: Apache-2.0
"""When a stream becomes unlike what it was: the distance to a running prototype.

The prototype is the stream's recent mean vector. A change is told when the distance rises over
`threshold`; the next one is told no earlier than `refractory_s` later, and not before the distance
has fallen below `release`. After a change the prototype begins anew, so the new state becomes the
usual one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np
from msgspec import Meta

from sensebind.errors import ConfigError
from sensebind.grid import NS_PER_S, nanoseconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.types import Embedding

_Distance = Annotated[float, Meta(gt=0, le=2)]
_Seconds = Annotated[float, Meta(gt=0, le=3600)]


class ChangeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is a change.

    Attributes:
        threshold: cosine distance (1 - cosine) to the prototype that is one.
        release: distance below which the stream counts as usual again; three quarters of
            `threshold` if None.
        memory_s: age by which a vector's weight in the prototype has fallen to 1/e.
        refractory_s: least time between two changes of a stream.
    """

    threshold: _Distance = 0.3
    release: _Distance | None = None
    memory_s: _Seconds = 10.0
    refractory_s: Annotated[float, Meta(ge=0, le=3600)] = 2.0

    def __post_init__(self) -> None:
        """Refuse a release over the threshold."""
        if self.release is not None and self.release > self.threshold:
            raise ConfigError(
                f"release={self.release:g} is above threshold={self.threshold:g}; a change must "
                "be able to end, so give at most the threshold"
            )


class ChangeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A stream became unlike what it was.

    Attributes:
        stream: its name.
        modality: its sense, or "joint".
        grid_ns: of the first embedding that is different.
        distance: 1 - cosine to what was usual.
    """

    stream: str
    modality: str
    grid_ns: int
    distance: float


@dataclass(slots=True)
class _Usual:
    """What a stream is like, and since when it was told to have changed."""

    sum: NDArray[np.float64]
    newest_ns: int
    changed_ns: int | None = None
    armed: bool = True


class ChangeDetector:
    """Watches all streams of a run; equal sequences of embeddings give equal events."""

    def __init__(self, config: ChangeConfig | None = None) -> None:
        """Begin without a past."""
        self._config = config or ChangeConfig()
        release = self._config.release
        self._release = 0.75 * self._config.threshold if release is None else release
        self._streams: dict[str, _Usual] = {}

    def add(self, embedding: Embedding) -> ChangeEvent | None:
        """Take a stream's next embedding; the change that it is."""
        vector, at_ns = embedding.vector.astype(np.float64), embedding.grid_ns
        usual = self._streams.get(embedding.stream)
        if usual is None or at_ns < usual.newest_ns:
            self._streams[embedding.stream] = _Usual(vector, at_ns)
            return None
        distance = 1 - float(vector @ usual.sum) / max(float(np.linalg.norm(usual.sum)), 1e-12)
        usual.armed = usual.armed or distance < self._release
        if usual.armed and distance >= self._config.threshold and self._is_due(usual, at_ns):
            self._streams[embedding.stream] = _Usual(vector, at_ns, at_ns, armed=False)
            return ChangeEvent(
                stream=embedding.stream,
                modality=embedding.modality.value,
                grid_ns=at_ns,
                distance=distance,
            )
        fade = math.exp(-(at_ns - usual.newest_ns) / NS_PER_S / self._config.memory_s)
        usual.sum, usual.newest_ns = fade * usual.sum + vector, at_ns
        return None

    def _is_due(self, usual: _Usual, at_ns: int) -> bool:
        refractory_ns = nanoseconds(self._config.refractory_s)
        return usual.changed_ns is None or at_ns - usual.changed_ns >= refractory_ns
