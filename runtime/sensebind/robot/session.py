# SPDX-License-Identifier: Apache-2.0
"""One run of a robot's pipeline, in a thread of its own, whose wishes may change meanwhile."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from threading import Lock, Thread
from typing import TYPE_CHECKING

import msgspec

from sensebind.describing import Describer
from sensebind.errors import SenseBindError
from sensebind.flow.incidents import Incidents, told
from sensebind.pipeline import Pipeline
from sensebind.records import joined
from sensebind.robot.health import StreamHealth
from sensebind.robot.outputs import Outputs
from sensebind.robot.recordings import Recordings
from sensebind.run_state import run_stats, stream_counts
from sensebind.sinks.event_lines import appended_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sensebind.bundle import Bundle
    from sensebind.changes import ChangeEvent
    from sensebind.describing import ChangeSettings, Description
    from sensebind.metrics.times import WindowTimes
    from sensebind.records import Record, RunMetadata
    from sensebind.robot.config import OutputConfig, RobotConfig
    from sensebind.sources.base import LiveSource
    from sensebind.types import Embedding


@dataclass(frozen=True, slots=True)
class Prepared:
    """A new configuration that a session can take over at once; see `Session.prepare`."""

    config: RobotConfig
    description: Description


class Session:
    """Sources, pipeline, what is said of its embeddings, and where that goes.

    Attributes:
        config: what it was told last.
        pipeline: the pipeline.
        stats: watches its run.
        latest: the newest record of each stream; for other threads.
    """

    def __init__(
        self,
        config: RobotConfig,
        bundle: Bundle,
        sources: Sequence[LiveSource],
        on_begin: Callable[[Session], None],
        on_end: Callable[[Session, BaseException | None], None],
        on_engine: Callable[[str], None],
    ) -> None:
        """Get ready; no device is opened before `start`.

        Args:
            config: what to do; its devices are not looked at.
            bundle: the encoders; stays open.
            sources: the devices.
            on_begin: called when the streams are wired, in the session's thread.
            on_end: called at the end, with why it came early.
            on_engine: takes a line when a stream is encoded by another engine than before.

        Raises:
            InputError: if something cannot be as it is configured.
        """
        self.config = config
        self.pipeline = Pipeline(bundle, config)
        self.stats = run_stats(self.pipeline)
        self.latest: dict[str, Record] = {}
        self._incidents = Incidents(self.pipeline.report.incidents)
        self._describer = Describer(
            config.describing, bundle, self._changed, self.pipeline.calibration
        )
        self._outputs = Outputs(config.output, self._incidents)
        record = config.record
        self._recorder = None if record is None else Recordings(record, self._incidents)
        self._changes = ExitStack()
        self._write_change = self._opened(config.changes)
        self._sources = sources
        self._on_begin = on_begin
        self._on_end = on_end
        self._on_engine = on_engine
        self._engines: dict[str, tuple[str, str]] = {}  # backend and precision, by stream
        self._run: RunMetadata | None = None
        self._written_to: tuple[RunMetadata, OutputConfig | None] | None = None
        self._lock = Lock()
        self._thread = Thread(target=self._work, name="session", daemon=True)

    def start(self) -> None:
        """Open the devices and begin."""
        self._thread.start()

    def stop(self) -> None:
        """End gracefully; what was received is still encoded and written."""
        self.pipeline.stop()

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join()

    def prepare(self, config: RobotConfig) -> Prepared:
        """Get ready for another configuration that takes no new run; nothing changes yet.

        Raises:
            InputError: if something cannot be as it is configured.
        """
        run = self._run if self._run is not None else self.pipeline.metadata()
        return Prepared(config, self._describer.prepare(config.describing, run))

    def use(self, prepared: Prepared) -> None:
        """Go on with another configuration from the next record on; no window is lost."""
        config, before = prepared.config, self.config
        with self._lock:
            self._publish(self._describer.use(prepared.description))
            self.pipeline.set_policies(config.streams)
            if config.changes != before.changes:
                self._changes.close()
                self._write_change = self._opened(config.changes)
            self._begin_output(config)
            self.config = config

    @property
    def backend(self) -> str:
        """Of the engines that encode; "" before the streams are wired."""
        return "" if self._run is None else self._run.backend

    @property
    def written(self) -> dict[str, int]:
        """What became of the records that were to be written."""
        report = self._outputs.report
        return {"offered": report.offered, "written": report.written, "lost": report.lost}

    def streams(self) -> dict[str, StreamHealth]:
        """How each stream is; for all threads."""
        found = {}
        for name, counts in stream_counts(self.pipeline).items():
            record = self.latest.get(name)
            scores = None if record is None else record.scores
            age_ns = None if record is None else time.time_ns() - record.embedding.stamp_ns
            found[name] = StreamHealth(
                modality=counts.modality,
                engine=" ".join(self._engines.get(name, ())),
                embedded=counts.embedded,
                dropped={cause: count for cause, count in counts.dropped.items() if count},
                age_s=None if age_ns is None else age_ns / 1e9,
                label=None if record is None else record.label,
                score=None if scores is None else float(scores.max()),
            )
        return found

    def notes(self) -> list[str]:
        """What the bundle's anchor knows nothing like, of the classes."""
        with self._lock:
            return [] if self._run is None else self._describer.notes(self._run)

    def _work(self) -> None:
        """The thread."""
        error: BaseException | None = None
        try:
            embeddings = self.pipeline.run(
                list(self._sources),
                observers=[self._heed_engine, self.stats.observe],
                recorder=self._recorder,
                begun=self._begin,
            )
            for embedding in embeddings:
                with self._lock:
                    self._publish(self._describer.add(embedding))
        except BaseException as caught:  # noqa: BLE001 - it belongs to the service
            error = caught
        try:
            self._end()
        except Exception as caught:  # noqa: BLE001 - the same
            error = error or caught
        self._on_end(self, error)

    def _begin(self) -> None:
        with self._lock:
            self._run = self.pipeline.metadata()
            for name, stream in self.pipeline.report.streams.items():
                encoder = self.pipeline.bundle.encoder(stream.modality)
                self._engines[name] = encoder.backend, encoder.precision
            self._describer.begin(self._run)
            self._begin_output(self.config)
        self._on_begin(self)

    def _heed_engine(self, embedding: Embedding, times: WindowTimes) -> None:
        """Begin another file where its metadata would not be true of the next record.

        A joint record may have members from before: its encoders are the same, and it goes there.
        """
        engine = times.backend, times.precision
        if engine == self._engines[embedding.stream] or self._run is None:
            return
        with self._lock:
            self._engines[embedding.stream] = engine
            backend, precision = map(joined, zip(*self._engines.values(), strict=True))
            self._run = msgspec.structs.replace(self._run, backend=backend, precision=precision)
            self._begin_output(self.config)
        self._on_engine(f"{embedding.stream} is encoded by {engine[0]}, {engine[1]}, from now on")

    def _begin_output(self, config: RobotConfig) -> None:
        """Begin another file if the records are not as they were, or are to go elsewhere."""
        if self._run is None:
            return
        what = self._describer.metadata(self._run), config.output
        if what != self._written_to:
            self._written_to = what
            self._outputs.begin(*what)

    def _end(self) -> None:
        """Close everything, whatever fails."""
        with ExitStack() as stack:
            if self._recorder is not None:
                stack.callback(self._recorder.close)
            for each in (self.pipeline, self._changes, self._outputs):
                stack.callback(each.close)
            with self._lock:
                self._publish(self._describer.end())

    def _publish(self, records: Iterable[Record]) -> None:
        for record in records:
            self.latest[record.embedding.stream] = record
            self._outputs.publish(record)

    def _changed(self, event: ChangeEvent) -> None:
        self._write_change(event)

    def _opened(self, changes: ChangeSettings | None) -> Callable[[object], None]:
        if changes is None:
            return lambda _event: None
        tell = partial(self._incidents.tell, f"sink {changes.file}")
        try:
            return self._changes.enter_context(appended_lines(changes.path, tell))
        except SenseBindError as error:
            self._incidents.tell(f"sink {changes.file}", told(error))
            return lambda _event: None
