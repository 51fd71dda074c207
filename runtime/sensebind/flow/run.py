# SPDX-License-Identifier: Apache-2.0
"""One run: its threads are wired, started, and ended, whatever happens."""

from __future__ import annotations

import math
import time
from queue import Empty, SimpleQueue
from threading import Event, Thread, Timer
from typing import TYPE_CHECKING

from sensebind.closing import Closing, has_ended
from sensebind.flow.engines import Engines
from sensebind.flow.feeding import LiveFeed, Reader, clocked
from sensebind.flow.incidents import told
from sensebind.flow.inference import Inference
from sensebind.flow.lane import LiveLane, RecordedLane
from sensebind.flow.messages import Encoded, End, Stop
from sensebind.flow.signals import heard
from sensebind.flow.worker import Worker
from sensebind.sources.base import StreamKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sensebind.config import Order, PipelineConfig, StreamConfig
    from sensebind.encoder import Encoder
    from sensebind.flow.feeding import Tap, Times
    from sensebind.flow.incidents import Incidents
    from sensebind.flow.lane import Lane
    from sensebind.flow.messages import Message
    from sensebind.flow.worker import View
    from sensebind.metrics.times import WindowTimes
    from sensebind.sources.base import LiveSource, LiveStreamInfo, Source
    from sensebind.stream_path import StreamPath
    from sensebind.types import Embedding, Modality

    Observe = Callable[[Embedding, WindowTimes], None]
    """Is told of each embedding, just before the consumer gets it."""

_USUAL_HZ = {StreamKind.SAMPLES: 1000.0, StreamKind.UNIFORM: 48_000.0, StreamKind.FRAMES: 30.0}
"""For rings of streams that do not tell their rate."""
_LEAST = {StreamKind.SAMPLES: 64, StreamKind.UNIFORM: 4096, StreamKind.FRAMES: 4}
"""Smallest rings: some blocks of a slow device."""
CLOSE_S = 5.0
"""How long a thread may take to end before it is left behind."""


class Run(Closing):
    """The threads of a run; a context manager that ends them. One thread owns and consumes it."""

    def __init__(
        self,
        config: PipelineConfig,
        encoders: Iterable[Encoder],
        reopen: Callable[[Modality], Encoder],
        incidents: Incidents,
        *,
        live: bool,
        observers: Sequence[Observe] = (),
        views: Sequence[View] = (),
    ) -> None:
        """Nothing happens before `embeddings` is iterated.

        Args:
            config: batching and times.
            encoders: of the streams, open.
            reopen: opens a modality's anew.
            incidents: told of what goes wrong.
            live: whether some source is live; then what fails costs only itself, else the run.
            observers: told of each embedding.
            views: shown each window and its features, in the preprocessing thread.
        """
        self._config = config
        self._incidents = incidents
        self._live = live
        self._observers = observers
        self._views = views
        self._wake = Event()
        self._results: SimpleQueue[Message] = SimpleQueue()
        self._error: BaseException | None = None
        self._lanes: list[Lane] = []
        self._feeds: list[Reader | LiveFeed] = []
        self._engines = Engines(encoders, reopen, incidents, max_batch=config.max_batch)
        self._inference = Inference(
            self._engines, config, self._results, self._wake, strict=not live
        )
        self._worker: Worker | None = None
        self._thread: Thread | None = None
        self._timer: Timer | None = None

    def add_recording(self, source: Source, paths: Mapping[str, StreamPath], order: Order) -> None:
        """Read these streams of a recording, which stays open during the run."""
        lane = RecordedLane(source.name, paths, self._wake)

        def fail(error: BaseException) -> None:
            if self._live:
                self._incidents.tell(f"source {source.name}", told(error))
            else:
                self._error = error

        selected = {name: path.config for name, path in paths.items()}
        self._lanes.append(lane)
        self._feeds.append(Reader(source, selected, order, lane, fail))

    def add_live(
        self,
        source: LiveSource,
        infos: Sequence[LiveStreamInfo],
        paths: Mapping[str, StreamPath],
        times: Times,
        tap: Tap | None,
    ) -> None:
        """Keep these streams of a live source coming; see `LiveFeed`."""
        lanes = {
            name: LiveLane(path, _capacity(clocked(name, infos), self._config.ring_s), self._wake)
            for name, path in paths.items()
        }
        feed = LiveFeed(
            source,
            {name: path.config for name, path in paths.items()},
            infos,
            lanes,
            times,
            tap,
            self._incidents,
            silence_s=self._config.source_timeout_s,
        )
        self._lanes += lanes.values()
        self._feeds.append(feed)

    def embeddings(self, seconds: float | None = None) -> Iterator[Embedding]:
        """Start everything, and yield embeddings until all has ended, or `stop` after `seconds`.

        Raises:
            SourceError: after what was read before, if a recording cannot be read to its end.
            BackendError: if an engine hangs while a recording is replayed.
        """
        self._start()
        if seconds is not None:
            self._timer = Timer(seconds, self.stop)
            self._timer.daemon = True  # a run that nobody closes keeps no program from ending
            self._timer.start()
        drain_until_s = math.inf
        while True:
            try:
                message = heard(self._results, drain_until_s)
            except Empty:
                self._incidents.tell(
                    "run", f"what was received was not encoded within {self._config.drain_s:g} s"
                )
                return
            if isinstance(message, Stop):
                if drain_until_s == math.inf:
                    drain_until_s = time.monotonic() + self._config.drain_s
                    self._stop_feeds()
            elif isinstance(message, End):
                error = message.error or self._error
                if error is not None:
                    raise error
                return
            else:
                yield self._published(message)

    def stop(self) -> None:
        """End gracefully: no more is taken in, what was is encoded. Also in signal handlers."""
        self._results.put(Stop())

    def set_policies(self, streams: Mapping[str, StreamConfig]) -> None:
        """Change what becomes of live windows that nobody has time for, by stream."""
        for lane in self._lanes:
            if isinstance(lane, LiveLane) and lane.name in streams:
                lane.pending.follow(streams[lane.name])
        self._wake.set()

    def queues(self) -> dict[str, int]:
        """What waits where at present, by the names of lanes and parts."""
        waiting = {f"in {lane.name}": lane.waiting() for lane in self._lanes}
        waiting |= {f"windows {lane.name}": len(lane.pending) for lane in self._lanes}
        return {**waiting, "engines": self._inference.waiting()}

    def close(self) -> None:
        """End all threads now, and count what was on its way as lost."""
        if self._timer is not None:
            self._timer.cancel()
            has_ended(self._timer, CLOSE_S)
        self._stop_feeds()
        ended = [feed.join(CLOSE_S) for feed in self._feeds if self._worker is not None]
        if self._worker is not None and self._thread is not None:
            self._worker.stop()
            ended.append(has_ended(self._thread, CLOSE_S))
            if ended[-1]:
                self._worker.settle()
            self._worker = None
        ended.append(self._inference.close(CLOSE_S))
        if not all(ended):
            self._incidents.tell("run", "a thread that did not end was left behind")

    def _start(self) -> None:
        def fail(error: BaseException) -> None:
            self._results.put(End(error))

        self._worker = Worker(
            self._lanes,
            self._inference,
            self._engines,
            self._wake,
            fail,
            self._incidents,
            self._views,
        )
        self._thread = Thread(target=self._worker.run, name="preprocessing", daemon=True)
        self._inference.start()
        self._thread.start()
        for feed in self._feeds:
            feed.start()

    def _stop_feeds(self) -> None:
        for feed in self._feeds:
            feed.stop()

    def _published(self, message: Encoded) -> Embedding:
        self._inference.consumed()
        message.times.published_ns = time.monotonic_ns()
        for observe in self._observers:
            observe(message.embedding, message.times)
        return message.embedding


def _capacity(info: LiveStreamInfo, ring_s: float) -> int:
    """Samples that `ring_s` seconds of a stream are."""
    rate_hz = info.rate_hz or _USUAL_HZ[info.kind]
    return max(round(rate_hz * ring_s), _LEAST[info.kind])
