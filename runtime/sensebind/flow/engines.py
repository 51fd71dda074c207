# SPDX-License-Identifier: Apache-2.0
"""The engines of a run: which are up, and when one that failed is opened anew."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from sensebind.flow.backoff import Backoff
from sensebind.flow.incidents import told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sensebind.encoder import Encoder
    from sensebind.flow.incidents import Incidents
    from sensebind.types import Modality

_FAILURES = 3
"""So many failed runs in a row are the engine's fault, not that of what it was given."""


@dataclass(slots=True)
class _State:
    encoder: Encoder
    batches: tuple[int, ...] = ()
    failures: int = 0
    retry_ns: int | None = None
    backoff: Backoff = field(default_factory=Backoff)

    @property
    def is_due(self) -> bool:
        """Whether it is up, or its pause is over."""
        return self.retry_ns is None or time.monotonic_ns() >= self.retry_ns


class Engines:
    """The encoders of a run. `open` belongs to the inference thread; the rest is for all."""

    def __init__(
        self,
        encoders: Mapping[Modality, Encoder],
        reopen: Callable[[Modality], Encoder],
        incidents: Incidents,
        *,
        max_batch: int = 1,
    ) -> None:
        """Begin with engines that are open.

        Args:
            encoders: by modality.
            reopen: opens an engine anew, beside the one there is.
            incidents: told of what fails.
            max_batch: most windows in one run.
        """
        self._states = {modality: _State(encoder) for modality, encoder in encoders.items()}
        self._reopen = reopen
        self._incidents = incidents
        self._max_batch = max_batch
        self._lock = Lock()

    def usable(self, modality: Modality) -> bool:
        """Whether windows are worth preparing: the engine is up, or to be tried again."""
        return self._states[modality].is_due

    def open(self, modality: Modality) -> Encoder | None:
        """The encoder; opened anew if it was down, None if it still is."""
        state = self._states[modality]
        if not state.is_due:
            return None
        if state.retry_ns is not None:
            try:
                state.encoder = self._reopen(modality)
            except Exception as error:  # noqa: BLE001 - whatever the backend raises
                self._take_down(modality, f"could not be opened again ({told(error)})")
                return None
            state.retry_ns = None
        return state.encoder

    def batches(self, modality: Modality) -> tuple[int, ...]:
        """Numbers of windows that may share a run, rising from 1; tried out when first asked."""
        state = self._states[modality]
        if not state.batches:
            state.batches = (1,)
            try:
                state.batches = state.encoder.equal_batches(self._max_batch)
            except Exception as error:  # noqa: BLE001 - whatever the backend raises
                self._incidents.tell(
                    f"engine {modality}", f"{told(error)}; its windows are run one by one"
                )
        return state.batches

    def succeeded(self, modality: Modality) -> None:
        """A run gave vectors."""
        state = self._states[modality]
        if state.failures:
            state.failures = 0
            state.backoff.reset()

    def failed(self, modality: Modality, error: Exception) -> None:
        """A run failed; after some in a row the engine is down until it is opened anew."""
        state = self._states[modality]
        state.failures += 1
        if state.failures >= _FAILURES:
            self._take_down(modality, f"failed {_FAILURES} times in a row ({told(error)})")

    def hung(self, modality: Modality, after_s: float) -> None:
        """A run did not return: the engine is down, and the others need a new thread's engines."""
        self._take_down(modality, f"did not answer for {after_s:g} s")
        for other, state in self._states.items():
            if other is not modality and state.retry_ns is None:
                state.retry_ns = time.monotonic_ns()  # at once: an engine belongs to one thread

    def _take_down(self, modality: Modality, what: str) -> None:
        with self._lock:
            state = self._states[modality]
            state.failures = 0
            pause_s = state.backoff.next_s()
            state.retry_ns = time.monotonic_ns() + round(pause_s * 1e9)
        self._incidents.tell(f"engine {modality}", f"{what}; it is opened anew after a pause")
