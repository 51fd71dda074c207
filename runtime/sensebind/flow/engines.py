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
    from collections.abc import Callable, Iterable

    from sensebind.encoder import Encoder
    from sensebind.flow.incidents import Incidents
    from sensebind.types import Modality

_FAILURES = 3
"""So many failed runs in a row are the engine's fault, not that of what it was given."""


@dataclass(slots=True)
class _State:
    """The engine of one modality."""

    failures: int = 0
    retry_ns: int | None = None
    backoff: Backoff = field(default_factory=Backoff)

    @property
    def is_due(self) -> bool:
        """Whether it is up, or its pause is over."""
        return self.retry_ns is None or time.monotonic_ns() >= self.retry_ns


class Engines:
    """The encoders of a run. `open` belongs to the inference thread; the rest is for all.

    Each modality has one engine; its streams may have several encoders on it.
    """

    def __init__(
        self,
        encoders: Iterable[Encoder],
        reopen: Callable[[Modality], Encoder],
        incidents: Incidents,
        *,
        max_batch: int = 1,
    ) -> None:
        """Begin with engines that are open.

        Args:
            encoders: of the streams.
            reopen: opens the engine of a modality anew, beside the one there is.
            incidents: told of what fails.
            max_batch: most windows in one run.
        """
        self._encoders = {encoder.encoder_id: encoder for encoder in encoders}
        self._states = {encoder.modality: _State() for encoder in self._encoders.values()}
        self._batches: dict[str, tuple[int, ...]] = {}
        self._reopen = reopen
        self._incidents = incidents
        self._max_batch = max_batch
        self._lock = Lock()

    def usable(self, modality: Modality) -> bool:
        """Whether windows are worth preparing: the engine is up, or to be tried again."""
        return self._states[modality].is_due

    def open(self, encoder: Encoder) -> Encoder | None:
        """The encoder of a stream; opened anew if its engine was down, None if that still is.

        This is between two runs, so an engine that the encoder was offered is taken here.
        """
        modality, state = encoder.modality, self._states[encoder.modality]
        if not state.is_due:
            return None
        if state.retry_ns is not None:
            try:
                opened = self._reopen(modality)
            except Exception as error:  # noqa: BLE001 - whatever the backend raises
                self._take_down(modality, f"could not be opened again ({told(error)})")
                return None
            for name, each in self._encoders.items():
                if each.modality is modality:
                    self._encoders[name] = each.on(opened)
            state.retry_ns = None
        present = self._encoders[encoder.encoder_id]
        if present.has_offer:
            self._renew(present)
        return present

    def batches(self, encoder: Encoder) -> tuple[int, ...]:
        """Numbers of windows that may share a run, rising from 1; tried out when first asked."""
        name = encoder.encoder_id
        if name not in self._batches:
            self._batches[name] = (1,)
            try:
                self._batches[name] = encoder.equal_batches(self._max_batch)
            except Exception as error:  # noqa: BLE001 - whatever the backend raises
                self._incidents.tell(
                    f"engine {encoder.modality}", f"{told(error)}; its windows are run one by one"
                )
        return self._batches[name]

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

    def _renew(self, encoder: Encoder) -> None:
        """Have an encoder go on with another engine, whose batches are to be tried anew."""
        modality = encoder.modality
        others = [n for n in self._batches if self._encoders[n].modality is not modality]
        self._batches = {name: self._batches[name] for name in others}
        try:
            encoder.take_offer()
        except Exception as error:  # noqa: BLE001 - whatever the backend raises
            self._incidents.tell(
                f"engine {modality}", f"the one before it could not be freed ({told(error)})"
            )

    def _take_down(self, modality: Modality, what: str) -> None:
        with self._lock:
            state = self._states[modality]
            state.failures = 0
            pause_s = state.backoff.next_s()
            state.retry_ns = time.monotonic_ns() + round(pause_s * 1e9)
        self._incidents.tell(f"engine {modality}", f"{what}; it is opened anew after a pause")
