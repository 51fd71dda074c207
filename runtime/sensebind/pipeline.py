# SPDX-License-Identifier: Apache-2.0
"""The wired graph: blocks in, embeddings out, and a count of everything on the way.

Two forms, one path: `run` takes sources, with threads of its own (see `sensebind.flow`), and
`push`/`poll`/`flush` take blocks from one's own program. One thread owns a pipeline.
"""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from sensebind.bundle import Bundle
from sensebind.calibration import UNCALIBRATED, Calibration
from sensebind.clock import SystemClock
from sensebind.clock.models import ClockModels
from sensebind.closing import Closing
from sensebind.config import PipelineConfig
from sensebind.errors import ConfigError, InputError, SenseBindError
from sensebind.flow.feeding import Times, clocked, known_of
from sensebind.flow.incidents import Incident, Incidents
from sensebind.flow.run import Run
from sensebind.flow.selection import is_live, select, sensor_of
from sensebind.records import RunMetadata, joined
from sensebind.sources.base import LiveStreamInfo
from sensebind.stream_path import StreamPath
from sensebind.types import Delivery
from sensebind.version import __version__
from sensebind.warmup import warm_front_end

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from sensebind.calibration import StreamCalibration
    from sensebind.clock import ReferenceClock
    from sensebind.clock.model import ClockQuality
    from sensebind.clock.models import StampStatus
    from sensebind.config import Order, StreamConfig
    from sensebind.flow.feeding import Recording
    from sensebind.flow.run import Observe
    from sensebind.flow.selection import AnySource, Selection
    from sensebind.flow.worker import View
    from sensebind.sources.base import SourceReport, StreamInfo
    from sensebind.sources.mapping import Decision
    from sensebind.stream_path import StreamReport
    from sensebind.types import Embedding, Window


@dataclass(slots=True)
class PipelineReport:
    """Counts of a run so far.

    Attributes:
        streams: by stream name.
        sources: what happened while reading, by the sources' names; empty in push form.
        incidents: what went wrong and was overcome.
        clocks: how well each clock of live sources was known at the end, by name.
        stamps: how the stamps of each live stream were mapped, by its name.
    """

    streams: dict[str, StreamReport] = field(default_factory=dict)
    sources: dict[str, SourceReport] = field(default_factory=dict)
    incidents: list[Incident] = field(default_factory=list)
    clocks: dict[str, ClockQuality] = field(default_factory=dict)
    stamps: dict[str, StampStatus] = field(default_factory=dict)


class Pipeline(Closing):
    """Windows, preprocesses and encodes streams; a context manager.

    Attributes:
        bundle: the encoders.
        config: as given; streams that `run` maps by itself are added to `report.streams` only.
        calibration: what is known of the sensors; None for nothing.
        decisions: after `run` began, what became of each stream of the source and why.
        report: counts so far.
    """

    def __init__(
        self,
        bundle: Bundle,
        config: PipelineConfig | None = None,
        *,
        backend: str | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        """Wire the streams of `config`; others are wired when `run` maps them.

        Args:
            bundle: the encoders; stays open when the pipeline closes.
            config: which streams and how; all defaults if None.
            backend: run the engines on this backend instead of the bundle's own.
            calibration: applied to the streams' blocks; that of `config` if None.

        Raises:
            ConfigError: if a stream's settings do not fit its modality.
            CalibrationError: if a section of the calibration is of another sense than its stream.
            InputError, BundleError, BackendError: if an encoder cannot be opened.
        """
        self.config = config or PipelineConfig()
        if calibration is None and self.config.calibration is not None:
            calibration = Calibration.load(self.config.calibration)
        self.calibration = calibration
        self._calibration_fits = False
        self._own = None
        if backend is not None and bundle.resolve(backend)[0] != bundle.backend:
            self._own = Bundle(bundle.folder, backend, self.config.threads)
        self.bundle = self._own or bundle
        self.decisions: tuple[Decision, ...] = ()
        self.report = PipelineReport()
        self._streams: dict[str, StreamPath] = {}
        self._order: Order = self.config.order or "stamp"
        self._ready: deque[Embedding] = deque()
        self._run: Run | None = None
        self._is_stopped = False
        self._clock_models: ClockModels | None = None
        for name, stream in self.config.streams.items():
            self._wire(name, stream, self._calibration_of(name, stream))

    def run(
        self,
        source: AnySource | list[AnySource] | tuple[AnySource, ...],
        *,
        observers: Sequence[Observe] = (),
        views: Sequence[View] = (),
        recorder: Recording | None = None,
        clock: ReferenceClock | None = None,
        clock_models: ClockModels | None = None,
        seconds: float | None = None,
        begun: Callable[[], None] | None = None,
    ) -> Generator[Embedding, None, None]:
        """Yield the embeddings of a recording, or of live sources, or of several of both.

        A recording is read as fast as its embeddings are taken, nothing of it is dropped, and they
        come in the order their windows closed. Live sources are started once all that their first
        windows need is loaded, and are never held up: what nobody has
        time for is dropped and counted, and a source or engine that fails is opened anew while the
        rest goes on; `stop` ends the run.

        Nothing is read before the first embedding is asked for; by then the streams are wired, so
        `decisions` and `metadata` are complete. Closing the iterator ends all threads.

        Args:
            source: what is read.
            observers: told of each embedding and when its window passed which station.
            views: shown each window and what its encoder gets, in the preprocessing thread.
            recorder: keeps what live sources deliver, for a replay; not begun yet, closed by you.
            clock: what live streams are told in; wall time as it is now if None.
            clock_models: map the stamps of devices, some of them calibrated perhaps; new ones if
                None.
            seconds: stop so long after the sources were started; None for not.
            begun: called once the streams are wired, just before the sources are started.

        Raises:
            InputError: if nothing maps to an encoder, a configured stream is not there, or a run of
                this pipeline is still going on.
            CalibrationError: if the calibration is of other streams, sensors or rates.
            SourceError: if a recording cannot be read, or a device is not there at the start.
        """
        sources = source if isinstance(source, (list, tuple)) else [source]
        self._check_sources(sources)
        with ExitStack() as stack:
            stack.callback(setattr, self, "_is_stopped", False)
            for each in sources:
                if not is_live(each):
                    stack.enter_context(each)
            selections = self._select(sources)
            live = any(is_live(each) for each in sources)
            incidents = Incidents(self.report.incidents)
            if live:
                for path in self._streams.values():
                    _warm_up(path, incidents)
            run = Run(
                self.config,
                [path.encoder for path in self._streams.values()],
                self.bundle.reopen,
                incidents,
                live=live,
                observers=observers,
                views=views,
            )
            self._run = stack.enter_context(run)
            stack.callback(setattr, self, "_run", None)
            times = Times(clock or SystemClock(), clock_models or ClockModels())
            self._clock_models = times.models
            stack.callback(self._tell_clocks, times, incidents)
            self._feed(run, selections, recorder, times)
            if begun is not None:
                begun()
            if self._is_stopped:
                run.stop()
            yield from run.embeddings(seconds)

    def stop(self) -> None:
        """End the present run gracefully: take nothing more in, and encode what came before.

        For other threads and signal handlers. One that is being set up ends as soon as it has
        begun, and so does the next one if there is none.
        """
        self._is_stopped = True  # before the run is looked for, which looks at this after it is one
        run = self._run
        if run is not None:
            run.stop()

    def set_policies(self, streams: Mapping[str, StreamConfig]) -> None:
        """Change policy, queue, priority and deadline of streams while a live run goes on.

        For other threads; without a run it does nothing.
        """
        run = self._run
        if run is not None:
            run.set_policies(streams)

    def queues(self) -> dict[str, int]:
        """What waits where in the present run: samples or blocks, windows; for other threads."""
        run = self._run
        return run.queues() if run is not None else {}

    def clocks(self) -> dict[str, ClockQuality]:
        """How well each clock of the latest run's live sources is known; for other threads."""
        return self._clock_models.status() if self._clock_models is not None else {}

    def calibrations(self) -> dict[str, StreamCalibration]:
        """What is known of each stream's sensor; complete once the streams are wired."""
        return {name: path.calibration for name, path in self._streams.items()}

    def push(self, delivery: Delivery) -> None:
        """Take one block, or a break; windows that close are encoded and wait for `poll`.

        Raises:
            ConfigError: if the block's stream is not configured or of another kind.
            CalibrationError: if the stream is not the one that was calibrated.
            InputError: if its arrays have another dtype or shape than its kind has.
        """
        if not isinstance(delivery, Delivery):
            raise InputError(f"a pipeline takes blocks and breaks, got {delivery!r:.80}")
        path = self._streams.get(delivery.stream)
        if path is None:
            known = ", ".join(repr(name) for name in self._streams) or "none"
            raise ConfigError(
                f"no stream {delivery.stream!r} is configured (configured: {known}); name it in "
                "PipelineConfig(streams={…: StreamConfig(modality=…)})"
            )
        self._check_calibration()
        self._ready += _encoded(path, path.take(delivery))

    def poll(self) -> list[Embedding]:
        """Take the embeddings that are ready, in the order their windows closed."""
        ready = list(self._ready)
        self._ready.clear()
        return ready

    def flush(self) -> list[Embedding]:
        """End all streams: encode what can still be closed, and take everything that is ready."""
        ready = self.poll()
        ending = [e for path in self._streams.values() for e in _encoded(path, path.flush())]
        return ready + sorted(ending, key=lambda e: (e.grid_ns, e.stream))

    def metadata(
        self, source: AnySource | None = None, labels: tuple[str, ...] = ()
    ) -> RunMetadata:
        """Metadata of the run for a sink; complete once the streams are wired."""
        manifest = self.bundle.manifest
        return RunMetadata(
            version=__version__,
            space_id=manifest.space_id,
            bundle=manifest.name,
            bundle_id=self.bundle.folder.bundle_id,
            encoder_ids=self._encoder_ids(),
            dim=manifest.dim,
            backend=joined(s.encoder.backend for s in self._streams.values()),
            precision=joined(s.encoder.precision for s in self._streams.values()),
            source=source.name if source else "",
            source_sha256="" if source is None or is_live(source) else source.sha256(),
            order=self._order,
            windows={name: stream.metadata() for name, stream in self._streams.items()},
            calibration=self.calibration.sha256 if self.calibration else "",
            calibrated={
                name: kinds for name, s in self._streams.items() if (kinds := s.calibration.kinds)
            },
            labels=labels,
        )

    def close(self) -> None:
        """Free what the pipeline opened itself; the bundle stays open."""
        if self._own is not None:
            self._own.close()

    def _encoder_ids(self) -> dict[str, str]:
        ids: dict[str, str] = {}
        for stream in self._streams.values():
            modality, own = stream.encoder.modality, stream.encoder.encoder_id
            alike = ids.get(modality.value, own) == own
            ids[modality.value] = own if alike else self.bundle.manifest.encoder_id(modality)
        return ids

    def _check_sources(self, sources: Sequence[object]) -> None:
        if self._run is not None:
            raise InputError(
                "a run of this pipeline is still going on; take its embeddings to the end, close "
                "its iterator, or make another Pipeline"
            )
        if not sources:
            raise InputError("no source was given; open one with sensebind.open_source")
        for source in sources:
            if not hasattr(source, "streams"):
                raise InputError(
                    f"a run reads sources, got {type(source).__name__} {source!r:.80}; open a file "
                    "or folder with sensebind.open_source"
                )

    def _select(self, sources: Sequence[AnySource]) -> list[Selection]:
        """Choose the streams of all sources, and wire those that are not yet."""
        encoders = self.bundle.manifest.encoders
        windowed = [modality for modality, spec in encoders.items() if spec.window]
        selections, self.decisions = select(sources, windowed, self.config)
        for selection in selections:
            self._order = selection.order
            self.report.sources[selection.source.name] = selection.source.report
            for name, stream in selection.streams.items():
                calibration = self._calibration_of(name, stream, selection.infos)
                known = self._streams.get(name)
                if known is None or known.config != stream:
                    self._wire(name, stream, calibration)
                else:
                    known.calibration = calibration
        self._check_calibration()
        return selections

    def _feed(
        self,
        run: Run,
        selections: Sequence[Selection],
        recorder: Recording | None,
        times: Times,
    ) -> None:
        """Tell a run where its blocks come from, and begin to record them."""
        told: dict[str, LiveStreamInfo] = {}
        for selection in selections:
            paths = {name: self._streams[name] for name in selection.streams}
            if is_live(selection.source):
                infos = [info for info in selection.infos if isinstance(info, LiveStreamInfo)]
                run.add_live(selection.source, infos, paths, times, recorder)
                told |= {name: clocked(name, infos) for name in paths}
            else:
                run.add_recording(selection.source, paths, selection.order)
        if recorder is not None:
            # The hop in use, as a replay may have another default.
            configs = {
                name: msgspec.structs.replace(path.config, hop_s=path.metadata().hop_s)
                for name, path in self._streams.items()
                if name in told
            }
            recorder.begin(configs, {name: known_of(info) for name, info in told.items()})

    def _tell_clocks(self, times: Times, incidents: Incidents) -> None:
        times.tell(incidents)
        self.report.clocks |= times.models.status()
        self.report.stamps |= times.models.stream_status()

    def _calibration_of(
        self, name: str, config: StreamConfig, infos: Sequence[StreamInfo] = ()
    ) -> StreamCalibration:
        """What is known of a stream's sensor, which its source tells of."""
        if self.calibration is None:
            return UNCALIBRATED
        serial, rate_hz = sensor_of(name, infos)
        return self.calibration.of_stream(name, config.modality, serial=serial, rate_hz=rate_hz)

    def _check_calibration(self) -> None:
        """Refuse a calibration of other streams, once all streams are wired."""
        if self.calibration is not None and not self._calibration_fits:
            self.calibration.check_streams(self._streams)
            self._calibration_fits = True

    def _wire(self, name: str, config: StreamConfig, calibration: StreamCalibration) -> None:
        encoder = self.bundle.encoder(config.modality)
        path = StreamPath(name, config, encoder, self.config.hop_s, calibration)
        self._streams[name] = path
        self.report.streams[name] = path.report


def _warm_up(path: StreamPath, incidents: Incidents) -> None:
    """Load what a front end needs, before a source is started that would not wait for it."""
    try:
        warm_front_end(path.encoder, path.config, path.calibration)
    except SenseBindError as error:
        incidents.tell(f"stream {path.name}", f"{error}; its first windows may take longer")


def _encoded(path: StreamPath, windows: list[Window]) -> list[Embedding]:
    """The windows' embeddings; a bad window is counted and costs no other."""
    return [embedding for window in windows if (embedding := path.encode(window)) is not None]
