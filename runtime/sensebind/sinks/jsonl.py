# SPDX-License-Identifier: Apache-2.0
"""JSON lines: the run's metadata, then one record per line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sensebind.sinks.atomic import AtomicFile
from sensebind.sinks.base import SCALAR_COLUMNS, check_record

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from sensebind.records import Record, RunMetadata


class JsonlSink:
    """Writes a line `{"metadata": …}`, then one object per record with the columns as keys."""

    def __init__(self, path: Path, metadata: RunMetadata) -> None:
        """Begin the file.

        Raises:
            SinkError: if it cannot be written.
        """
        self._metadata = metadata
        self._file = AtomicFile(path)
        self._write_line({"metadata": metadata})

    def write(self, record: Record) -> None:
        """Write one line; see `Sink.write`."""
        check_record(record, self._metadata)
        self._write_line(json_record(record))

    def close(self) -> None:
        """Put the file under its name; see `Sink.close`."""
        self._file.commit()

    def abort(self) -> None:
        """Remove what was begun."""
        self._file.discard()

    def _write_line(self, value: object) -> None:
        with self._file.writing():
            self._file.stream.write(msgspec.json.encode(value) + b"\n")


def json_record(record: Record) -> dict[str, object]:
    """The columns of a record, with exact vectors, for `msgspec.json.encode`."""
    embedding = record.embedding
    row: dict[str, object] = {name: getattr(embedding, name) for name in SCALAR_COLUMNS}
    row["vector"] = _exact(embedding.vector)
    if record.scores is not None:
        row["label"] = record.label
        row["scores"] = _exact(record.scores)
    if record.prompt_set:
        row["prompt_set"] = record.prompt_set
    if record.members:
        row["members"] = record.members
    return row


def _exact(values: NDArray[np.float32]) -> msgspec.Raw:
    """JSON array of the shortest decimals that read back as the same float32 values; null: NaN."""
    return msgspec.Raw(f"[{','.join(map(str, values))}]".replace("nan", "null"))
