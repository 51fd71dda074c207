# SPDX-License-Identifier: Apache-2.0
"""Files of a service that runs for months: begun anew now and then, finished after a crash."""

from __future__ import annotations

import logging
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

from sensebind.closing import Closing
from sensebind.errors import SenseBindError
from sensebind.flow.publishing import Publishing, SinkReport
from sensebind.sinks import open_live_sink, recover
from sensebind.sinks.parts import done_folder, finish_removal, parts_folder
from sensebind.sinks.raw.recording_file import unfinished

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensebind.flow.incidents import Incidents
    from sensebind.records import Record, RunMetadata
    from sensebind.robot.config import OutputConfig
    from sensebind.sinks.base import LiveSink

_log = logging.getLogger(__name__)
_STAMP = "%Y%m%dT%H%M%SZ"
_STAMPED = r"-(\d{8}T\d{6}Z)(?:-(\d+))?"
_naming = Lock()


def stamped(path: Path) -> Path:
    """A name with the present time in it, of which there is nothing yet."""
    stem = f"{path.stem}-{time.strftime(_STAMP, time.gmtime())}"
    number, candidate = 0, path.with_name(stem + path.suffix)
    # Path.exists raises where a disk is gone, and nobody here could do anything about that.
    while any(map(os.path.exists, (candidate, parts_folder(candidate), unfinished(candidate)))):
        number += 1
        candidate = path.with_name(f"{stem}-{number}{path.suffix}")
    return candidate


def _reserved(path: Path) -> Path:
    """A new name with the present time in it, for which the folder of its parts is made."""
    with _naming:
        name = stamped(path)
        with suppress(OSError):  # whoever opens it will tell
            parts_folder(name).mkdir()
    return name


def finished_files(path: Path) -> list[Path]:
    """Files of this name with times in them, oldest first."""
    return _named(path, "")


def remove_old(path: Path, keep: int | None) -> None:
    """Remove all but the newest finished files of a name."""
    for old in [] if keep is None else finished_files(path)[:-keep]:
        _remove(old)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)  # another thread may be at it
    except OSError as error:
        _log.warning("%s cannot be removed: %s", path, error.strerror)


def leftovers(path: Path) -> list[Path]:
    """Outputs that a crash left unfinished, oldest first."""
    places = (parts_folder(path), done_folder(path), unfinished(path))
    endings = [place.name.removeprefix(path.name) for place in places]
    return sorted({f.with_name(f.name.removesuffix(e)) for e in endings for f in _named(path, e)})


def finish_leftovers(outputs: list[Path], tell: Callable[[str], None]) -> None:
    """Finish what a crash left; what cannot be stays as it is and is told."""
    for path in outputs:
        _finish_leftover(path, tell)


def _finish_leftover(path: Path, tell: Callable[[str], None]) -> None:
    try:
        if unfinished(path).exists() or not finish_removal(path):
            tell(f"{path}: finished, {recover(path)} records of a run that was interrupted")
    except (SenseBindError, OSError) as error:
        tell(f"{path} is left as it was interrupted: {error}")


def _named(path: Path, ending: str) -> list[Path]:
    pattern = re.compile(re.escape(path.stem) + _STAMPED + re.escape(path.suffix + ending))
    try:
        files = list(path.parent.iterdir())
    except OSError:  # the folder, or its disk, is gone
        return []
    found = [(match, file) for file in files if (match := pattern.fullmatch(file.name))]
    return [file for _, file in sorted(found, key=lambda each: _age(each[0]))]


def _age(match: re.Match[str]) -> tuple[str, int]:
    """Sorts names by when they were given."""
    return match[1], int(match[2] or 0)


class Outputs(Closing):
    """The files of a session's records. One thread at a time publishes."""

    def __init__(self, config: OutputConfig | None, incidents: Incidents) -> None:
        """Nothing is written before the first record."""
        self._config = config
        self._incidents = incidents
        self._metadata: RunMetadata | None = None
        self._publishing: Publishing | None = None
        self._until_s = 0.0
        self._finishing: list[Thread] = []
        self._reports: list[SinkReport] = []
        self._lock = Lock()

    @property
    def report(self) -> SinkReport:
        """Counts over all files."""
        with self._lock:
            reports = list(self._reports)
        return SinkReport(
            offered=sum(report.offered for report in reports),
            written=sum(report.written for report in reports),
            lost=sum(report.lost for report in reports),
        )

    def begin(self, metadata: RunMetadata, config: OutputConfig | None) -> None:
        """Write what comes from now on to a file of these metadata."""
        self._finish()
        self._config, self._metadata = config, metadata

    def publish(self, record: Record) -> None:
        """Give a record to the present file; never waits and never fails."""
        if self._config is None:
            return
        if self._publishing is not None and time.monotonic() >= self._until_s:
            self._finish()
        if self._publishing is None:
            self._publishing = self._opened(self._config)
        self._publishing.publish(record)

    def close(self) -> None:
        """Finish all files, within a bound of time."""
        self._finish()
        for thread in self._finishing:
            thread.join()

    def _opened(self, config: OutputConfig) -> Publishing:
        path, metadata = Path(config.file), self._metadata
        assert metadata is not None
        endless = config.rotate_s == 0
        self._until_s = float("inf") if endless else time.monotonic() + config.rotate_s

        names = [_reserved(path)]  # now, so that names are in the order of the records

        def open_sink() -> LiveSink:
            return open_live_sink(names.pop() if names else _reserved(path), metadata)

        publishing = Publishing({config.file: open_sink}, self._incidents)
        with self._lock:
            self._reports += publishing.reports.values()
        return publishing

    def _finish(self) -> None:
        """Finish the present file while the next records already go to another."""
        publishing, self._publishing = self._publishing, None
        if publishing is None or self._config is None:
            return
        arguments = (publishing, Path(self._config.file), self._config.keep)
        thread = Thread(target=_close, args=arguments, name="finishing", daemon=True)
        thread.start()
        self._finishing = [each for each in self._finishing if each.is_alive()] + [thread]


def _close(publishing: Publishing, path: Path, keep: int | None) -> None:
    publishing.close()
    remove_old(path, keep)
