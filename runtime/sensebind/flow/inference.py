# SPDX-License-Identifier: Apache-2.0
"""The thread that owns the engines, and the one that watches it."""

from __future__ import annotations

import time
from collections import deque
from itertools import takewhile
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING

from sensebind.closing import has_ended
from sensebind.errors import BackendError, InputError
from sensebind.flow.incidents import told
from sensebind.flow.messages import Encoded, End

if TYPE_CHECKING:
    from queue import SimpleQueue

    from sensebind.config import PipelineConfig
    from sensebind.encoder import Encoder
    from sensebind.flow.engines import Engines
    from sensebind.flow.messages import Message
    from sensebind.flow.pending import Passage
    from sensebind.types import Modality

RESULTS_AHEAD = 32
"""Embeddings that may wait for the consumer before no further windows are prepared."""
_PREPARED_AHEAD = 16
"""Windows of recordings that are prepared ahead: threads that wake each other less cost less. Live,
where a window that waits grows old, it is a batch."""
_HANDED_OVER_AT_ONCE = 8
"""Embeddings of recordings that are handed over together while more windows wait, likewise."""
_CHECKS = 4
"""How often the watch looks within the time it allows."""


class Inference:
    """Turns prepared windows into embeddings, in the order they come."""

    def __init__(
        self,
        engines: Engines,
        config: PipelineConfig,
        results: SimpleQueue[Message],
        wake: Event,
        *,
        strict: bool,
    ) -> None:
        """Nothing runs before `start`.

        Args:
            engines: the encoders; this thread's own.
            config: its batching and timeout.
            results: takes embeddings, and the end.
            wake: the worker's; set when there is room for another window.
            strict: a run that hangs ends everything, as nothing may be dropped.
        """
        self._engines = engines
        self._max_batch = config.max_batch
        self._ahead = max(config.max_batch, _PREPARED_AHEAD if strict else 1)
        self._at_once = _HANDED_OVER_AT_ONCE if strict else 1
        self._batch_wait_ns = round(config.batch_wait_s * 1e9)
        self._timeout_s = config.engine_timeout_s
        self._results = results
        self._wake = wake
        self._strict = strict
        self._changed = Condition()
        self._queue: deque[Passage] = deque()
        self._unconsumed = 0
        self._finishing = False
        self._stopping = Event()
        # Of the thread in charge; one that hung finds another number here when it comes back.
        self._generation = 0
        self._thread: Thread | None = None
        self._busy: Modality | None = None
        self._began_ns = 0
        self._batch: list[Passage] = []
        self._done: list[Encoded] = []
        self._watch = Thread(target=self._watch_runs, name="engine watch", daemon=True)

    def start(self) -> None:
        """Start both threads."""
        self._start_thread()
        self._watch.start()

    def has_room(self) -> bool:
        """Whether another window may be prepared: few are, and the consumer keeps up.

        The worker is woken when there is room for half of what fits.
        """
        return len(self._queue) < self._ahead and self._unconsumed < RESULTS_AHEAD

    def submit(self, passage: Passage) -> None:
        """Take a window with its features."""
        with self._changed:
            self._queue.append(passage)
            self._changed.notify()

    def consumed(self) -> None:
        """The consumer took an embedding."""
        with self._changed:
            self._unconsumed -= 1
            has_room = self._unconsumed == RESULTS_AHEAD // 2
        if has_room:
            self._wake.set()

    def waiting(self) -> int:
        """Windows that wait for the engines."""
        return len(self._queue)

    def finish(self) -> None:
        """No more windows come: tell the consumer of the end after the last one."""
        with self._changed:
            self._finishing = True
            self._changed.notify()

    def close(self, timeout_s: float) -> bool:
        """End the threads after the present run; whether it ended within `timeout_s`.

        Windows that are left are counted as dropped.
        """
        self._stopping.set()
        with self._changed:
            self._drop(self._queue)
            self._changed.notify_all()
        has_ended(self._watch, timeout_s)  # first, as it may be about to replace the other one
        thread = self._thread
        ended = thread is None or has_ended(thread, timeout_s)
        with self._changed:
            self._generation += 1
            self._drop(self._batch)
        return ended

    def _drop(self, passages: deque[Passage] | list[Passage]) -> None:
        for passage in passages:
            passage.drop("stopped")
        passages.clear()

    def _start_thread(self) -> None:
        generation = self._generation
        self._thread = Thread(
            target=self._run, args=(generation,), name=f"inference {generation}", daemon=True
        )
        self._thread.start()

    def _run(self, generation: int) -> None:
        """The thread: run engines until nothing more comes."""
        try:
            while (wanted := self._next_encoder(generation)) is not None:
                self._serve(wanted, generation)
        except BaseException as error:  # noqa: BLE001 - it belongs to the consumer
            end = End(error)
        else:
            end = End()
        if generation == self._generation:
            self._hand_over()
            self._results.put(end)

    def _next_encoder(self, generation: int) -> Encoder | None:
        """Wait for a window and say what encodes it; None at the end."""
        with self._changed:
            self._busy = None if generation == self._generation else self._busy
            while not self._queue:
                self._hand_over()
                if self._finishing or self._stopping.is_set() or generation != self._generation:
                    return None
                self._changed.wait()
            if generation != self._generation:
                return None
            wanted = self._queue[0].path.encoder
            self._busy = wanted.modality
            self._began_ns = time.monotonic_ns()
            return wanted

    def _serve(self, wanted: Encoder, generation: int) -> None:
        """Run one batch of an encoder."""
        encoder = self._engines.open(wanted)
        sizes = (1,) if self._max_batch == 1 or encoder is None else self._engines.batches(encoder)
        batch = self._take_batch(wanted.encoder_id, sizes, generation)
        if len(self._queue) <= self._ahead // 2:
            self._wake.set()
        if encoder is not None:
            self._encode(encoder, batch, generation)
        elif self._take_back(generation):
            for passage in batch:
                passage.drop("engine")

    def _take_batch(
        self, encoder_id: str, sizes: tuple[int, ...], generation: int
    ) -> list[Passage]:
        """The waiting windows of an encoder that share the next run."""
        with self._changed:
            while generation == self._generation and self._may_grow(encoder_id, sizes[-1]):
                oldest_ns = self._queue[0].times.prepared_ns
                left_ns = oldest_ns + self._batch_wait_ns - time.monotonic_ns()
                if left_ns <= 0 or not self._changed.wait(left_ns / 1e9):
                    break
            if generation != self._generation:
                return []
            ready = self._ready(encoder_id)
            size = max((size for size in sizes if size <= ready), default=0)
            self._batch = [self._queue.popleft() for _ in range(size)]
            self._began_ns = time.monotonic_ns()
            return list(self._batch)

    def _ready(self, encoder_id: str) -> int:
        """Windows at the head of the queue that may share a run."""
        if self._queue and self._queue[0].alone:
            return 1

        def fits(passage: Passage) -> bool:
            return passage.path.encoder.encoder_id == encoder_id and not passage.alone

        return sum(1 for _ in takewhile(fits, self._queue))

    def _may_grow(self, encoder_id: str, largest: int) -> bool:
        if largest == 1 or self._finishing or self._stopping.is_set():
            return False
        return 0 < self._ready(encoder_id) == len(self._queue) < largest

    def _encode(self, encoder: Encoder, batch: list[Passage], generation: int) -> None:
        """Run the engine."""
        if not batch:
            return
        begin_ns = time.monotonic_ns()
        try:
            vectors = encoder.encode([p.prepared.features for p in batch if p.prepared])
        except Exception as error:  # noqa: BLE001 - whatever the backend raises
            self._fail(encoder, batch, error, generation)
            return
        end_ns = time.monotonic_ns()
        if not self._take_back(generation):
            return
        self._engines.succeeded(encoder.modality)
        for passage, vector in zip(batch, vectors, strict=True):
            assert passage.prepared is not None
            embedding = encoder.embedding(passage.window, passage.prepared, vector)
            times = passage.times
            times.infer_begin_ns, times.inferred_ns, times.batch = begin_ns, end_ns, len(batch)
            times.backend, times.precision = encoder.backend, encoder.precision
            passage.path.count_embedded()
            self._done.append(Encoded(embedding, times))
        if len(self._done) >= self._at_once:
            self._hand_over()

    def _hand_over(self) -> None:
        """Let the consumer have what is done."""
        with self._changed:
            self._unconsumed += len(self._done)
            for encoded in self._done:
                self._results.put(encoded)
            self._done.clear()

    def _fail(
        self, encoder: Encoder, batch: list[Passage], error: Exception, generation: int
    ) -> None:
        """Count a window that failed; those that failed together are to be run alone."""
        if not self._take_back(generation):
            return
        if len(batch) > 1:
            for passage in batch:
                passage.alone = True
            with self._changed:
                self._queue.extendleft(reversed(batch))
            return
        batch[0].path.count_failed(told(error))
        if not isinstance(error, InputError) and not self._strict:
            self._engines.failed(encoder.modality, error)

    def _take_back(self, generation: int) -> bool:
        """Whether the batch is still this thread's; if it hung, its windows are counted already."""
        with self._changed:
            if generation != self._generation:
                return False
            self._batch = []
            return True

    def _watch_runs(self) -> None:
        """The watching thread: replace the other one if a run takes too long."""
        timeout_ns = round(self._timeout_s * 1e9)
        while not self._stopping.wait(self._timeout_s / _CHECKS):
            with self._changed:
                modality = self._busy
                if modality is None or time.monotonic_ns() - self._began_ns < timeout_ns:
                    continue
                self._generation += 1
                lost, self._batch, self._busy = self._batch, [], None
                self._thread = None  # left to itself
            for passage in lost:
                passage.drop("engine")
            self._engines.hung(modality, self._timeout_s)
            if self._strict:
                self._hand_over()
                self._results.put(End(_hung(modality, self._timeout_s)))
                return
            self._start_thread()


def _hung(modality: Modality, timeout_s: float) -> BackendError:
    return BackendError(
        f"the engine of {modality} did not answer for {timeout_s:g} s; if this machine is just "
        "slow, allow it more time with engine_timeout_s="
    )
