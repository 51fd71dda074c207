# SPDX-License-Identifier: Apache-2.0
"""Records of a live run, safe within a second whatever happens to the program.

While the run lasts they go to small complete Parquet files in the folder `NAME.parts` beside the
output, each written, flushed to disk and only then named. Closing writes the output itself from
the parts, in whatever format its suffix says, and removes them. After a crash the parts are still
there: `sensebind recover` does what closing would have done. An earlier output stays as it is until
the new one is complete.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from sensebind.errors import InputError, SinkError
from sensebind.sinks.atomic import reason_and_fix
from sensebind.sinks.base import check_record, finishing
from sensebind.sinks.parquet import ParquetSink
from sensebind.sinks.reading import RecordFile, open_records
from sensebind.storage import flush

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sensebind.records import Record, RunMetadata
    from sensebind.sinks.base import Sink

    OpenSink = Callable[[Path, RunMetadata], Sink]

PART_S = 1.0
"""Longest time a record waits for its part to be written."""
_MOST_WAITING = 1024
"""Records that may wait for a disk that does not answer."""
_FOLDER_SUFFIX = ".parts"
_DONE_SUFFIX = ".done"


class PartsSink:
    """Writes parts of at most `part_s`, and the output when it is closed. Any thread may write.

    Attributes:
        unwritten: records that were taken and are in no part, once it was aborted.
    """

    def __init__(
        self,
        path: Path,
        metadata: RunMetadata,
        open_sink: OpenSink,
        part_s: float = PART_S,
        *,
        resume: bool = False,
    ) -> None:
        """Begin a run.

        Args:
            path: the output.
            metadata: of the run.
            open_sink: opens the sink that writes the output at the end.
            part_s: longest time a record waits for its part.
            resume: go on behind parts that are there: they are this run's own.

        Raises:
            InputError: if the parts of an unfinished run are there, or of one that goes on.
            SinkError: if the folder of the parts cannot be made.
        """
        self.unwritten: tuple[Record, ...] = ()
        self._path = path
        self._metadata = metadata
        self._open_sink = open_sink
        self._holding = ExitStack()
        self._folder = self._holding.enter_context(_begun(path, resume=resume))
        self._rows: list[Record] = []
        self._parts = _next_number(self._folder)
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._part_s = part_s
        self._thread = threading.Thread(target=self._write_parts, name="parts", daemon=True)
        self._thread.start()

    def write(self, record: Record) -> None:
        """Keep one record; see `Sink.write`. A part that failed earlier is told here.

        While the disk does not answer it waits, lest records fill the memory.
        """
        check_record(record, self._metadata)
        with self._changed:
            while self._error is None and len(self._rows) >= _MOST_WAITING:
                self._changed.wait()
            self._raise_failure()
            self._rows.append(record)

    def close(self) -> None:
        """Write the output from the parts and remove them; see `Sink.close`."""
        self._end()
        self._raise_failure()
        self._write_part()
        compact(self._path, self._metadata, self._open_sink)
        self._holding.close()

    def abort(self) -> None:
        """End the run; its parts stay for `sensebind recover`, if there are any."""
        self._end()
        with self._holding:
            with suppress(Exception):  # it was told, or is to be
                self._write_part()
            self.unwritten = tuple(self._rows)
            if self._parts == 0:
                _remove(self._path)

    def _end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _write_parts(self) -> None:
        try:
            while not self._ended.wait(self._part_s):
                self._write_part()
        except Exception as error:  # noqa: BLE001 - who writes next is told, and does not wait
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _write_part(self) -> None:
        """Write what waits; what cannot be written waits on."""
        with self._changed:
            rows, self._rows = self._rows, []
            self._changed.notify_all()
        if not rows:
            return
        try:
            part = self._folder / f"{self._parts:08d}.parquet"
            with finishing(ParquetSink(part, self._metadata)) as sink:
                for record in rows:
                    sink.write(record)
        except BaseException:
            with self._changed:
                self._rows = rows + self._rows
            raise
        self._parts += 1

    def _raise_failure(self) -> None:
        if self._error is not None:
            raise self._error


def parts_folder(path: Path) -> Path:
    """Where the parts of an output lie while its run lasts."""
    return path.with_name(path.name + _FOLDER_SUFFIX)


def done_folder(path: Path) -> Path:
    """Where they lie while they are removed."""
    return path.with_name(path.name + _FOLDER_SUFFIX + _DONE_SUFFIX)


def read_parts(path: Path) -> list[RecordFile]:
    """The parts of an unfinished run in order.

    Raises:
        InputError: if there are none.
    """
    folder = parts_folder(path)
    parts = [open_records(part) for part in _parts_in(folder)]
    if not parts:
        raise InputError(
            f"{path}: there are no parts to recover in {str(folder)!r}; give the name of the "
            "output of a live run that was interrupted"
        )
    return parts


def recover_parts(path: Path, open_sink: OpenSink) -> int:
    """Write the output of an interrupted run from its parts, then remove them; their records.

    Raises:
        InputError: if there are no parts, they belong to different runs, or the run goes on.
        SinkError: if the output cannot be written; the parts stay.
    """
    with _held(path) if parts_folder(path).is_dir() else ExitStack():
        metadata = {part.metadata.space_id: part.metadata for part in read_parts(path)}
        if len(metadata) > 1:
            raise InputError(
                f"{path}: its parts are of different spaces: {', '.join(metadata)}; expected "
                "those of one run, so move the others out of the folder of the parts"
            )
        return compact(path, next(iter(metadata.values())), open_sink)


def compact(path: Path, metadata: RunMetadata, open_sink: OpenSink) -> int:
    """Write the output from its parts, then remove them; the number of records.

    Raises:
        SinkError: if the output cannot be written; the parts are then still there.
    """
    folder = parts_folder(path)
    count = 0
    with finishing(open_sink(path, metadata)) as sink:
        for part in _parts_in(folder):
            for record in open_records(part).records():
                sink.write(record)
                count += 1
    _remove(path)
    return count


def finish_removal(path: Path) -> bool:
    """Remove what is left of the parts of a finished or hardly begun run; whether that is all."""
    folder = parts_folder(path)
    shutil.rmtree(done_folder(path), ignore_errors=True)
    if folder.is_dir() and not _parts_in(folder):
        shutil.rmtree(folder, ignore_errors=True)
    return not folder.is_dir()


def _remove(path: Path) -> None:
    """Remove the parts, at once: some of them would be recovered in place of the whole output."""
    folder, done = parts_folder(path), done_folder(path)
    shutil.rmtree(done, ignore_errors=True)
    with suppress(OSError):
        folder.rename(done)
        flush(folder.parent)
    shutil.rmtree(done, ignore_errors=True)


def _parts_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet"))


def _next_number(folder: Path) -> int:
    """Number of the part behind those that are there."""
    return max(
        (int(part.stem) + 1 for part in _parts_in(folder) if part.stem.isdecimal()), default=0
    )


@contextmanager
def _begun(path: Path, *, resume: bool) -> Iterator[Path]:
    """The folder for the parts of a run, its own until the end."""
    folder = parts_folder(path)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise SinkError(f"cannot write {str(path)!r}: {reason_and_fix(error)}") from error
    with _held(path):
        if _parts_in(folder) and not resume:
            raise InputError(
                f"{str(folder)!r} holds a run that was interrupted; finish it first: "
                f"sensebind recover {path}"
            )
        yield folder


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Keep other programs from writing or finishing the parts of an output meanwhile."""
    folder = parts_folder(path)
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise SinkError(f"cannot open {str(folder)!r}: {reason_and_fix(error)}") from error
    try:
        _lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(
            f"{str(parts_folder(path))!r} is being written; end the program that writes "
            f"{path.name!r} first, or choose another name"
        ) from None
    except OSError:  # a file system without locks
        return
