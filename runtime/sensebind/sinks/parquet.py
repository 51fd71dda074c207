# SPDX-License-Identifier: Apache-2.0
"""Parquet: one row per embedding, the run's metadata in the file's key-value metadata."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sensebind.sinks.atomic import AtomicFile
from sensebind.sinks.base import SCALAR_COLUMNS, check_record

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from sensebind.records import Record, RunMetadata

_ROW_GROUP_BYTES = 4 << 20  # bounds what is held in memory between writes
_REPEATED = ["stream", "modality", "label", "prompt_set"]
_SCALAR_TYPES = {
    "stream": pa.string(),
    "modality": pa.string(),
    "coverage": pa.float64(),
    "valid_fraction": pa.float64(),
}


class ParquetSink:
    """Writes row groups of bounded size, zstd-compressed; equal runs give equal bytes."""

    def __init__(self, path: Path, metadata: RunMetadata) -> None:
        """Begin the file.

        Raises:
            SinkError: if it cannot be written.
        """
        self._metadata = metadata
        self._schema = schema_of(metadata)
        self._rows: list[Record] = []
        self._rows_per_group = max(1, _ROW_GROUP_BYTES // (4 * metadata.dim))
        self._file = AtomicFile(path)
        with self._file.writing():
            self._writer = pq.ParquetWriter(
                self._file.stream,
                self._schema,
                compression="zstd",
                use_dictionary=_REPEATED,  # type: ignore[arg-type]  # stubs: bool only
            )

    def write(self, record: Record) -> None:
        """Keep one row; see `Sink.write`."""
        check_record(record, self._metadata)
        self._rows.append(record)
        if len(self._rows) >= self._rows_per_group:
            self._write_group()

    def close(self) -> None:
        """Write the rest and put the file under its name; see `Sink.close`."""
        self._write_group()
        with self._file.writing():
            self._writer.close()
        self._file.commit()

    def abort(self) -> None:
        """Remove what was begun."""
        with suppress(OSError, ValueError):  # a full disk or a closed file must not stop us here
            self._writer.close()
        self._file.discard()

    def _write_group(self) -> None:
        if not self._rows:
            return
        with self._file.writing():
            self._writer.write_table(table_of(self._rows, self._schema))
        self._rows.clear()


def schema_of(metadata: RunMetadata) -> pa.Schema:
    """The columns of a run: scalars and vector, and where the run has them further ones.

    With labels the best label and all scores, with several prompt sets the set's name, with joint
    embeddings their members.
    """
    fields = [pa.field(n, _SCALAR_TYPES.get(n, pa.int64()), nullable=False) for n in SCALAR_COLUMNS]
    fields.append(pa.field("vector", _floats(metadata.dim), nullable=False))
    if metadata.labels:
        fields.append(pa.field("label", pa.string(), nullable=False))
        fields.append(pa.field("scores", _floats(len(metadata.labels)), nullable=False))
    if metadata.prompt_sets:
        fields.append(pa.field("prompt_set", pa.string(), nullable=False))
    if metadata.has_joint:
        fields.append(pa.field("members", pa.list_(pa.string()), nullable=False))
    keys: dict[bytes | str, bytes | str] = dict(metadata.encode().items())
    return pa.schema(fields, metadata=keys)


def table_of(records: list[Record], schema: pa.Schema) -> pa.Table:
    """Records as a table of `schema`."""
    embeddings = [record.embedding for record in records]
    columns: list[pa.Array[Any]] = [
        pa.array([_plain(getattr(e, name)) for e in embeddings], schema.field(name).type)
        for name in SCALAR_COLUMNS
    ]
    columns.append(_matrix([e.vector for e in embeddings]))
    if "label" in schema.names:
        columns.append(pa.array([record.label for record in records], pa.string()))
        columns.append(_matrix([r.scores for r in records if r.scores is not None]))
    if "prompt_set" in schema.names:
        columns.append(pa.array([record.prompt_set for record in records], pa.string()))
    if "members" in schema.names:
        columns.append(pa.array([list(r.members) for r in records], pa.list_(pa.string())))
    return pa.Table.from_arrays(columns, schema=schema)


def _floats(size: int) -> pa.DataType:
    return pa.list_(pa.float32(), size)


def _matrix(rows: list[NDArray[np.float32]]) -> pa.Array[Any]:
    stacked = np.stack(rows).astype(np.float32, copy=False)
    return pa.FixedSizeListArray.from_arrays(pa.array(stacked.ravel()), stacked.shape[1])


def _plain(value: object) -> object:
    return str(value) if isinstance(value, str) else value
