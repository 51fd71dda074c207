# SPDX-License-Identifier: Apache-2.0
"""When a window passed each station on its way from a device to the consumer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensebind.types import Modality

STAGES = ("close", "pend", "preprocess", "wait", "infer", "publish")
"""What happens between two stations, in order; a window's service time is their sum."""


@dataclass(slots=True)
class WindowTimes:
    """The stations of one window; times in ns, of the monotonic clock where nothing else is said.

    Attributes:
        stream: name of the stream.
        modality: its sense.
        grid_ns: the window's key, in the reference clock.
        stamp_ns: its newest sample, in the reference clock.
        closable_ns: when the block that closed it was received, in the reference clock; None for
            a recording, whose blocks are read and not received.
        received_ns: when that block was received.
        closed_ns: when the windower gave the window.
        prepare_begin_ns: when its turn came to be preprocessed.
        prepared_ns: when its features were ready.
        infer_begin_ns: when the engine began with the batch that holds it.
        inferred_ns: when the engine had finished.
        published_ns: when the consumer was given the embedding.
        batch: windows in that engine run.
        backend: of the engine.
        precision: what it computed in.
    """

    stream: str
    modality: Modality
    grid_ns: int
    stamp_ns: int
    closable_ns: int | None = None
    received_ns: int = 0
    closed_ns: int = 0
    prepare_begin_ns: int = 0
    prepared_ns: int = 0
    infer_begin_ns: int = 0
    inferred_ns: int = 0
    published_ns: int = 0
    batch: int = 1
    backend: str = ""
    precision: str = ""

    @property
    def service_ns(self) -> int:
        """From receipt of the block that closed the window to its publication."""
        return self.published_ns - self.received_ns

    @property
    def wait_ns(self) -> int:
        """Time in which nothing was done for the window: before preprocessing and the engine."""
        return self.prepare_begin_ns - self.closed_ns + self.infer_begin_ns - self.prepared_ns

    @property
    def closing_delay_ns(self) -> int | None:
        """How long after its grid instant the window could be closed; None for a recording."""
        return None if self.closable_ns is None else self.closable_ns - self.grid_ns

    @property
    def age_ns(self) -> int | None:
        """Age of the newest sample when the consumer got the vector; None for a recording."""
        if self.closable_ns is None:
            return None
        return self.closable_ns + self.service_ns - self.stamp_ns

    def spans(self) -> Iterator[tuple[str, int, int]]:
        """Stage, begin and end of everything between two stations, in the order of STAGES."""
        stations = (
            self.received_ns,
            self.closed_ns,
            self.prepare_begin_ns,
            self.prepared_ns,
            self.infer_begin_ns,
            self.inferred_ns,
            self.published_ns,
        )
        return zip(STAGES, stations[:-1], stations[1:], strict=True)
