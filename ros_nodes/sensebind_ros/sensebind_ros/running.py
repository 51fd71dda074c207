# SPDX-License-Identifier: Apache-2.0
"""The pipeline of an active node, in a thread of its own; nothing here needs ROS."""

from __future__ import annotations

import logging
import time
from collections import Counter
from datetime import datetime, timezone
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from sensebind.clock.models import ClockModels
from sensebind.describing import Describer, DescribingConfig
from sensebind.errors import SourceError
from sensebind.flow.incidents import told
from sensebind.pipeline import Pipeline
from sensebind.sinks.recorder import Recorder
from sensebind_ros.counts import described_counts, report_counts, report_failures
from sensebind_ros.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sensebind.bundle import Bundle
    from sensebind.changes import ChangeEvent
    from sensebind.clock import ReferenceClock
    from sensebind.clock.models import StampStatus
    from sensebind.config import PipelineConfig
    from sensebind.flow.incidents import Incident
    from sensebind.pipeline import PipelineReport
    from sensebind.records import Record
    from sensebind_ros.source import TopicSource

    ByStream = dict[str, Counter[str]]
    Publish = Callable[[Record], None]

_log = logging.getLogger(__name__)

_CLOSE_S = 5.0
"""Beyond the time a run may take to end by itself."""
_ASK_S = 0.05
_PAUSE_S = 1.0
"""Before a run that failed is begun anew."""


class Running:
    """Runs a source through pipelines, one after the other, until it is stopped.

    Attributes:
        watch: has seen every window since the start.
        failure: why the present run could not go on; "" if it does.
        runs: pipelines that were begun.
    """

    def __init__(
        self,
        bundle: Bundle,
        source: TopicSource,
        clock: ReferenceClock,
        publish: Publish,
        on_change: Callable[[ChangeEvent], None],
        record: Path | None = None,
    ) -> None:
        """Nothing runs before `start`.

        Args:
            bundle: with the encoders, open.
            source: what is encoded.
            clock: what its streams are told in.
            publish: takes each embedding, and each joint one, in the pipeline's thread.
            on_change: is told of each change there.
            record: folder in which the sensors are recorded.
        """
        self.watch = Watch()
        self.failure = ""
        self.runs = 0
        self._past: dict[str, Counter[str]] = {}
        self._past_failures: dict[str, Counter[str]] = {}
        self._past_described: Counter[str] = Counter()
        self._describer: Describer | None = None
        self._bundle = bundle
        self._source = source
        self._clock = clock
        self._publish = publish
        self._on_change = on_change
        self._record = record
        self._stopping = Event()
        self._config: PipelineConfig | None = None
        self._describing = DescribingConfig()
        self._pipeline: Pipeline | None = None
        self._models = ClockModels()
        self._thread: Thread | None = None
        self._lock = Lock()

    @property
    def takes_messages(self) -> bool:
        """Whether there is a pipeline that messages go into; while one is set up there is none."""
        return self._source.opened.is_set()

    @property
    def incidents(self) -> list[Incident]:
        """What went wrong in the present run and was overcome."""
        return list(self._pipeline.report.incidents) if self._pipeline is not None else []

    def counts(self) -> dict[str, Counter[str]]:
        """What became of samples and windows since the start, by stream and cause."""
        with self._lock:
            return self._with_present(self._past, report_counts)

    def failures(self) -> dict[str, Counter[str]]:
        """Why windows failed and blocks were refused since the start, by stream and message."""
        with self._lock:
            return self._with_present(self._past_failures, report_failures)

    @property
    def described(self) -> Counter[str]:
        """What became of joint instants, and how many changes there were, since the start."""
        with self._lock:
            return self._past_described + described_counts(self._describer)

    @property
    def stamps(self) -> dict[str, StampStatus]:
        """How the stamps of each stream were mapped in the present run."""
        return self._models.stream_status()

    def start(self, config: PipelineConfig, describing: DescribingConfig) -> None:
        """Begin to run.

        Raises:
            SenseBindError: if a pipeline cannot be wired like this.
        """
        check(self._bundle, config, describing)
        self._describing, self._config = describing, config
        self._thread = Thread(target=self._run, name="pipeline", daemon=True)
        self._thread.start()

    def change(self, config: PipelineConfig, describing: DescribingConfig) -> None:
        """Go on with another configuration, one that `check` has passed.

        The present run ends, and another one begins.
        """
        self._describing, self._config = describing, config  # a run looks at the latter first
        self.end_outdated()

    def end_outdated(self) -> None:
        """End a run that has another configuration; one that is being set up does not hear it."""
        pipeline = self._pipeline
        if pipeline is not None and pipeline.config is not self._config:
            self._end(pipeline)

    def stop(self) -> bool:
        """End: take nothing more in, and encode what came before; whether it has ended in time."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is None or self._config is None:
            return True
        until_s = time.monotonic() + self._config.drain_s + _CLOSE_S
        while thread.is_alive() and time.monotonic() < until_s:
            pipeline = self._pipeline
            if pipeline is not None:
                self._end(pipeline)  # again, as a run that is being set up does not hear it
            thread.join(_ASK_S)
        return not thread.is_alive()

    def _end(self, pipeline: Pipeline) -> None:
        """End a run; the source first, which counts what still comes by topic, not as overrun.

        One that has ended meanwhile is left alone: the source may be the next one's by now.
        """
        with self._lock:
            if self._pipeline is not pipeline:
                return
            self._source.stop()
        pipeline.stop()

    def _with_present(self, past: ByStream, of: Callable[[PipelineReport], ByStream]) -> ByStream:
        """What was counted in past runs and in the present one."""
        present = of(self._pipeline.report) if self._pipeline is not None else {}
        nothing: Counter[str] = Counter()
        return {
            name: past.get(name, nothing) + present.get(name, nothing)
            for name in past.keys() | present.keys()
        }

    def _run(self) -> None:
        """The thread."""
        while not self._stopping.is_set():
            self.failure = self._outcome()
            if self.failure:
                _log.error("the pipeline failed and is begun anew: %s", self.failure)
                self._stopping.wait(_PAUSE_S)

    def _outcome(self) -> str:
        """Run one pipeline; why it failed, "" if it was stopped."""
        try:
            self._run_once()
        except Exception as error:  # noqa: BLE001 - whatever it is, the node stays
            return told(error)
        return ""

    def _run_once(self) -> None:
        """One pipeline, until it is stopped."""
        assert self._config is not None
        config = self._config
        self._models = ClockModels()
        recorder = Recorder(self._recording()) if self._record is not None else None
        self.runs += 1
        try:
            describer = Describer(self._describing, self._bundle, self._on_change)
            self._describer = describer
            with Pipeline(self._bundle, config) as pipeline:
                embeddings = pipeline.run(
                    self._source,
                    observers=[self.watch.observe],
                    clock=self._clock,
                    clock_models=self._models,
                    recorder=recorder,
                    begun=lambda: _begin(describer, pipeline),
                )
                self._pipeline = pipeline
                for described in describer.records(embeddings):
                    self._publish(described)
        finally:
            with self._lock:
                self._past = self._with_present(self._past, report_counts)
                self._past_failures = self._with_present(self._past_failures, report_failures)
                self._pipeline = None
                self._past_described += described_counts(self._describer)
                self._describer = None
            if recorder is not None:
                recorder.close()

    def _recording(self) -> Path:
        """A file name that no other recording has."""
        assert self._record is not None
        try:
            self._record.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SourceError(
                f"record is {str(self._record)!r}, a folder that cannot be made: {error.strerror}; "
                "give one that can be written"
            ) from None
        now = datetime.now(timezone.utc)
        return self._record / f"sensors_{now:%Y%m%d_%H%M%S_%f}.mcap"


def check(bundle: Bundle, config: PipelineConfig, describing: DescribingConfig) -> None:
    """Check whether a pipeline can be wired like this, and its streams joined.

    Raises:
        SenseBindError: saying what does not fit.
    """
    with Pipeline(bundle, config) as pipeline:
        _begin(Describer(describing, bundle), pipeline)


def _begin(describer: Describer, pipeline: Pipeline) -> None:
    describer.begin(pipeline.metadata())
