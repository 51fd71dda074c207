# SPDX-License-Identifier: Apache-2.0
"""Records of a live run, safe within a second whatever happens to the program.

While the run lasts they go to small complete Parquet files in the folder `NAME.parts` beside the
output, each written, flushed to disk and only then named. Closing writes the output itself from
the parts, in whatever format its suffix says, and removes them. After a crash the parts are still
there: `sensebind recover` does what closing would have done. An earlier output stays as it is until
the new one is complete.
"""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

from sensebind.errors import InputError, SinkError
from sensebind.sinks.base import check_record, finishing
from sensebind.sinks.parquet import ParquetSink
from sensebind.sinks.reading import RecordFile, open_records

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sensebind.records import Record, RunMetadata
    from sensebind.sinks.base import Sink

    OpenSink = Callable[[Path, RunMetadata], Sink]

PART_S = 1.0
"""Longest time a record waits for its part to be written."""
_FOLDER_SUFFIX = ".parts"


class PartsSink:
    """Writes parts of at most `part_s`, and the output when it is closed. Any thread may write."""

    def __init__(
        self, path: Path, metadata: RunMetadata, open_sink: OpenSink, part_s: float = PART_S
    ) -> None:
        """Begin a run.

        Args:
            path: the output.
            metadata: of the run.
            open_sink: opens the sink that writes the output at the end.
            part_s: longest time a record waits for its part.

        Raises:
            InputError: if the parts of an unfinished run are there.
            SinkError: if the folder of the parts cannot be made.
        """
        self._path = path
        self._metadata = metadata
        self._open_sink = open_sink
        self._folder = _begun(path)
        self._rows: list[Record] = []
        self._parts = 0
        self._error: SinkError | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._part_s = part_s
        self._thread = threading.Thread(target=self._write_parts, name="parts", daemon=True)
        self._thread.start()

    def write(self, record: Record) -> None:
        """Keep one record; see `Sink.write`. A part that failed earlier is told here."""
        check_record(record, self._metadata)
        with self._lock:
            self._raise_failure()
            self._rows.append(record)

    def close(self) -> None:
        """Write the output from the parts and remove them; see `Sink.close`."""
        self._end()
        self._raise_failure()
        self._write_part()
        compact(self._path, self._metadata, self._open_sink)

    def abort(self) -> None:
        """End the run; its parts stay for `sensebind recover`, if there are any."""
        self._end()
        if self._error is None:
            self._write_part()
        if self._parts == 0:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _write_parts(self) -> None:
        try:
            while not self._ended.wait(self._part_s):
                self._write_part()
        except SinkError as error:
            self._error = error

    def _write_part(self) -> None:
        with self._lock:
            rows, self._rows = self._rows, []
        if not rows:
            return
        sink = ParquetSink(self._folder / f"{self._parts:08d}.parquet", self._metadata)
        with finishing(sink):
            for record in rows:
                sink.write(record)
        self._parts += 1

    def _raise_failure(self) -> None:
        if self._error is not None:
            raise self._error


def parts_folder(path: Path) -> Path:
    """Where the parts of an output lie while its run lasts."""
    return path.with_name(path.name + _FOLDER_SUFFIX)


def read_parts(path: Path) -> list[RecordFile]:
    """The parts of an unfinished run in order.

    Raises:
        InputError: if there are none.
    """
    folder = parts_folder(path)
    parts = [open_records(part) for part in sorted(folder.glob("*.parquet"))]
    if not parts:
        raise InputError(
            f"{path}: there are no parts to recover in {str(folder)!r}; give the name of the "
            "output of a live run that was interrupted"
        )
    return parts


def compact(path: Path, metadata: RunMetadata, open_sink: OpenSink) -> int:
    """Write the output from its parts, then remove them; the number of records.

    Raises:
        SinkError: if the output cannot be written; the parts are then still there.
    """
    folder = parts_folder(path)
    count = 0
    with finishing(open_sink(path, metadata)) as sink:
        for part in sorted(folder.glob("*.parquet")):
            for record in open_records(part).records():
                sink.write(record)
                count += 1
    shutil.rmtree(folder, ignore_errors=True)
    return count


def _begun(path: Path) -> Path:
    folder = parts_folder(path)
    if any(folder.glob("*.parquet")):
        raise InputError(
            f"{str(folder)!r} holds a run that was interrupted; finish it first: "
            f"sensebind recover {path}"
        )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise SinkError(
            f"cannot write {str(path)!r}: {error.strerror}; check the disk and the folder"
        ) from error
    return folder
