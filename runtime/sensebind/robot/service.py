# SPDX-License-Identifier: Apache-2.0
"""The service: sessions one after another, as the file says, until somebody stops it."""

from __future__ import annotations

import logging
import os
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread, Timer
from typing import TYPE_CHECKING

from sensebind.errors import SenseBindError
from sensebind.flow.incidents import told
from sensebind.flow.signals import heard
from sensebind.metrics.lines import SnapshotLines
from sensebind.metrics.process import resident_bytes
from sensebind.metrics.ticker import Ticker
from sensebind.robot.devices import sources_of
from sensebind.robot.difference import difference
from sensebind.robot.health import Health, health_reports
from sensebind.robot.notify import Notifier
from sensebind.robot.outputs import finish_leftovers, leftovers
from sensebind.robot.places import Places
from sensebind.robot.plan_builds import PlanBuilds
from sensebind.robot.progress import Progress, Watchdog, Work, work_of
from sensebind.robot.reading import files_of, read_robot_config
from sensebind.robot.session import Session
from sensebind.robot.wanted_plans import Wanted, load_bundle, modalities_of
from sensebind.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sensebind.bundle import Bundle
    from sensebind.robot.config import RobotConfig
    from sensebind.robot.device_config import DeviceConfig
    from sensebind.robot.health import Status
    from sensebind.sources.base import LiveSource
    from sensebind.types import Modality

    SourcesOf = Callable[[Mapping[str, DeviceConfig]], Sequence[LiveSource]]

_log = logging.getLogger(__name__)
_INCIDENTS = 20
_LEFTOVERS_S = 60.0
"""What is not finished by then is at the next start."""
_BUILD_S = 3600.0
"""The service manager hears of a build that is waited for at least as often."""


class Service:
    """Runs what a robot.toml says. `run` belongs to one thread; `stop` and `reload` are for all.

    Attributes:
        config: what is running.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        notifier: Notifier | None = None,
        say: Callable[[str], None] = _log.info,
        sources: SourcesOf = sources_of,
        seconds: float | None = None,
    ) -> None:
        """Read the configuration; nothing is opened before `run`.

        Args:
            path: robot.toml.
            notifier: to the service manager; the one of the environment if None.
            say: takes a line when something happens.
            sources: makes the devices' sources.
            seconds: stop so long after the first session began; never if None.

        Raises:
            InputError: naming what is wrong with the configuration.
        """
        self._path = Path(path)
        self.config = read_robot_config(path)
        self._files = files_of(self.config)
        self._notifier = notifier or Notifier()
        self._say = say
        self._sources = sources
        self._seconds = seconds
        self._events: SimpleQueue[tuple[str, Session | None, BaseException | None]] = SimpleQueue()
        self._status: Status = "starting"
        self._config_error: str | None = None
        self._begin_s = time.monotonic()
        self._bundle: Bundle | None = None
        self._session: Session | None = None
        self._plans: PlanBuilds | None = None
        self._has_begun = False
        self._reports = ExitStack()
        self._progress = Progress(self._work)
        self._places = Places()
        self._leftovers: Thread | None = None

    def stop(self) -> None:
        """End gracefully: what was received is still encoded and written."""
        self._events.put(("stop", None, None))

    def reload(self) -> None:
        """Read the configuration again."""
        self._events.put(("reload", None, None))

    def run(self) -> None:
        """Run until `stop`, or until all devices have ended.

        Raises:
            SenseBindError: if the first session cannot be begun, or a session cannot go on.
        """
        with ExitStack() as stack:
            stack.callback(self._end)
            watchdog = stack.enter_context(Watchdog(self._notifier, self._progress, self._say))
            self._places.take(self.config)
            self._finish_leftovers()
            self._begin(self.config, load_bundle(self.config))
            watchdog.start()
            while True:
                what, session, error = heard(self._events)
                if what == "stop":
                    return
                if what == "reload":
                    self._reload()
                elif what == "built":
                    self._built()
                elif session is self._session and what == "begun":
                    self._began()
                elif session is self._session:
                    if error is not None:
                        raise error
                    self._say("all devices have ended")
                    return

    def health(self) -> Health:
        """How the service is; for all threads."""
        session, bundle, plans = self._session, self._bundle, self._plans
        pipeline = None if session is None else session.pipeline
        stuck = self._status == "running" and self._progress.is_stuck
        incidents = [] if pipeline is None else list(pipeline.report.incidents)[-_INCIDENTS:]
        return Health(
            status="stuck" if stuck else self._status,
            stamp_ns=time.time_ns(),
            pid=os.getpid(),
            version=__version__,
            uptime_s=time.monotonic() - self._begin_s,
            config=str(self._path),
            config_error=self._config_error,
            bundle=self.config.bundle if bundle is None else bundle.name,
            backend="" if session is None else session.backend,
            plans={} if plans is None else {m.value: s for m, s in list(plans.states.items())},
            streams={} if session is None else session.streams(),
            queues={} if pipeline is None else pipeline.queues(),
            written={} if session is None else session.written,
            incidents=[f"{i.where}: {i.what} ({i.count} times)" for i in incidents],
            resident_bytes=resident_bytes(),
        )

    def _work(self) -> Work:
        session = self._session
        return Work() if session is None or self._status != "running" else work_of(session.pipeline)

    def _begin(self, config: RobotConfig, bundle: Bundle) -> None:
        """Begin the first session, or the builds that it is to wait for."""
        if config.engines.build and config.engines.meanwhile == "wait":
            found = modalities_of(self._sources(config.devices), bundle, config)
            self.config, self._bundle = config, bundle
            self._want_plans(found, "the devices are opened after that")
        else:
            session = self._made(config, bundle)
            self.config, self._bundle = config, bundle
            self._start(session)
        self._report()

    def _built(self) -> None:
        """Begin the session that waited for its plans."""
        bundle, plans = self._bundle, self._plans
        if self._session is None and bundle is not None and plans is not None and plans.finished:
            self._start(self._made(self.config, bundle))
            self._report()

    def _want_plans(self, modalities: Iterable[Modality], meanwhile: str) -> None:
        """Have the plans built that encoders lack, unless that is being done already."""
        assert self._bundle is not None
        wanted = Wanted.of(self._bundle, self.config, modalities)
        if self._plans is not None and self._plans.wanted == wanted:
            return
        self._stop_plans()
        done = partial(self._events.put, ("built", None, None))
        self._plans = PlanBuilds(wanted, meanwhile, self._say, self._tell_progress, done)
        self._plans.start()

    def _want_plans_of(self, session: Session) -> None:
        modalities = (stream.modality for stream in session.pipeline.report.streams.values())
        self._want_plans(modalities, "what has none runs on the CPU until then")

    def _stop_plans(self) -> None:
        if self._plans is not None:
            self._plans.close()

    def _tell_progress(self, what: str) -> None:
        """Tell the service manager what is being built."""
        if self._status == "starting":
            self._notifier.extend(_BUILD_S)
        self._notifier.status("; ".join(filter(None, (self._running(), what))))

    def _running(self) -> str:
        """What runs, as a line; "" before anything does."""
        session, bundle = self._session, self._bundle
        if session is None or bundle is None or not self._has_begun:
            return ""
        streams = ", ".join(session.pipeline.report.streams)
        return f"running: bundle {bundle.name} on {session.backend}, streams {streams}"

    def _tell_engine(self, line: str) -> None:
        self._say(line)
        self._notifier.status(self._running())

    def _made(self, config: RobotConfig, bundle: Bundle) -> Session:
        return Session(
            config,
            bundle,
            self._sources(config.devices),
            lambda session: self._events.put(("begun", session, None)),
            lambda session, error: self._events.put(("ended", session, error)),
            self._tell_engine,
        )

    def _start(self, session: Session) -> None:
        self._session, self._has_begun = session, False
        session.start()

    def _began(self) -> None:
        """A session's streams are wired."""
        session = self._session
        assert session is not None
        self._has_begun = True
        if self._status == "starting" and self._seconds is not None:
            timer = Timer(self._seconds, self.stop)
            timer.daemon = True
            timer.start()
        self._status = "running"
        self._say_notes(session)
        self._say(self._running())
        self._notifier.ready()
        self._notifier.status(self._running())
        self._want_plans_of(session)

    def _say_notes(self, session: Session) -> None:
        for note in session.notes():
            self._say(note)

    def _reload(self) -> None:
        """Take over a new configuration; one that is not valid changes nothing."""
        if self._status != "starting":
            self._notifier.reloading()
        try:
            config = read_robot_config(self._path)
            self._places.take(config)
            self._take_over(config, files_of(config))
            self._config_error = None
        except (SenseBindError, OSError) as error:
            self._config_error = told(error)
            self._say(f"the new configuration is refused, and everything goes on: {told(error)}")
        self._places.leave_all_but(self.config)
        if self._status != "starting":
            self._notifier.ready()

    def _take_over(self, config: RobotConfig, files: dict[str, str]) -> None:
        session = self._session
        what = difference(self.config, config, self._files, files)
        if session is None:  # it waits for plans
            self._wait_otherwise(config, new_bundle=bool(what.bundle) or "engines" in what.at_once)
            self._files = files
            self._say("the new configuration is taken over")
            return
        if what.restarts or not self._has_begun:
            self._say(f"a new run begins, for {', '.join(what.restarts) or 'the first did not'}")
            self._replace(config, new_bundle=bool(what.bundle))
        elif what.at_once:
            session.use(session.prepare(config))
            self._say(f"from now on, and without a gap: {', '.join(what.at_once)}")
            if "prompts" in what.at_once:
                self._say_notes(session)
        else:
            self._say("the configuration is as it was")
        reports = config.health != self.config.health or config.stats != self.config.stats
        self.config, self._files = config, files
        if reports or what.restarts:
            self._report()
        if "engines" in what.at_once and not what.restarts:
            self._want_plans_of(session)

    def _wait_otherwise(self, config: RobotConfig, *, new_bundle: bool) -> None:
        """Begin as another configuration says; there was no session yet."""
        before = self._bundle
        assert before is not None
        bundle = load_bundle(config) if new_bundle else before
        try:
            self._begin(config, bundle)
        finally:
            if new_bundle:
                (before if self._bundle is bundle else bundle).close()

    def _replace(self, config: RobotConfig, *, new_bundle: bool) -> None:
        """End the session and begin another; if that fails, one as before.

        What can be refused is refused before the session ends.
        """
        before, old_bundle = self._session, self._bundle
        assert before is not None
        assert old_bundle is not None
        with ExitStack() as unused:
            bundle = unused.enter_context(load_bundle(config)) if new_bundle else old_bundle
            session = self._made(config, bundle)
            self._status = "restarting"
            before.stop()
            before.join()
            self._bundle = bundle
            self._start(session)
            error = self._outcome(session)
            if error is None:
                unused.pop_all()
                if new_bundle:
                    self._stop_plans()
                    old_bundle.close()
                return
            self._say(f"the new run failed ({error}); the old one is begun again")
            session.join()
            self._bundle = old_bundle
            try:
                self._start(self._made(self.config, old_bundle))
            except (SenseBindError, OSError) as again:
                self._events.put(("ended", session, again))  # nothing runs any more
        self._report()
        raise error

    def _outcome(self, session: Session) -> SenseBindError | None:
        """Wait until a session has begun; why it has not. Other events are kept for later."""
        later = []
        try:
            while True:
                event = heard(self._events)
                what, whose, error = event
                if what == "stop" or (whose is session and what == "begun"):
                    later.append(event)
                    return None
                if whose is session:
                    if error is None or isinstance(error, SenseBindError):
                        return error or SenseBindError("its devices ended at once")
                    raise error
                if what == "reload":
                    later.append(event)
        finally:
            for event in later:
                self._events.put(event)

    def _report(self) -> None:
        """Tell of health and statistics where the configuration says."""
        self._reports.close()
        try:
            for each in health_reports(self.config.health, self.health):
                self._reports.enter_context(each)
            if self.config.stats is not None and self._session is not None:
                stats = self.config.stats
                lines = self._reports.enter_context(SnapshotLines(Path(stats.file), anew=False))
                ticker = Ticker(self._session.stats.snapshot, [lines.take], stats.every_s)
                self._reports.enter_context(ticker)
        except SenseBindError as error:
            if self._status == "starting":
                raise
            self._say(str(error))

    def _finish_leftovers(self) -> None:
        """Finish in the background what a crash left; new files have other names."""
        parts = (self.config.output, self.config.record)
        found = [path for part in parts if part is not None for path in leftovers(Path(part.file))]
        finish = partial(finish_leftovers, found, self._say)
        self._leftovers = Thread(target=finish, name="leftovers", daemon=True)
        self._leftovers.start()

    def _end(self) -> None:
        self._status = "stopping"
        self._notifier.stopping()
        self._stop_plans()
        if self._session is not None:
            self._session.stop()
            self._session.join()
        self._status = "stopped"
        self._reports.close()
        if self._leftovers is not None:
            self._leftovers.join(_LEFTOVERS_S)
        if self._bundle is not None:
            self._bundle.close()
        self._places.close()
