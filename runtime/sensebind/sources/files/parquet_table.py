# SPDX-License-Identifier: Apache-2.0
"""IMU readings in a Parquet table, read batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.errors import SourceError
from sensebind.grid import NS_PER_S
from sensebind.sources.base import StreamInfo, StreamKind
from sensebind.sources.batching import ROWS_PER_BLOCK
from sensebind.sources.files.table_columns import COLUMNS, STAMPS, TableColumns, find_columns
from sensebind.types import SampleBlock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.parquet as pq
    from numpy.typing import NDArray

    from sensebind.config import StreamConfig

_ROWS_PER_BATCH = 64 * ROWS_PER_BLOCK


class ParquetTable:
    """One Parquet file of IMU readings, with the columns of a CSV table."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.fraction = 0.0
        self._path = path

    def info(self) -> StreamInfo:
        """Describe the stream after checking the table's columns."""
        try:
            with self._open() as table:
                columns = self._columns(table)
                count = table.metadata.num_rows
        except SourceError as error:
            return StreamInfo(self.name, StreamKind.OTHER, "Parquet table", note=str(error))
        return StreamInfo(
            self.name, StreamKind.SAMPLES, "Parquet table", columns.encoding, count=count
        )

    def blocks(self, config: StreamConfig) -> Iterator[SampleBlock]:
        """Yield blocks of the readings of up to 64 rows.

        Raises:
            SourceError: naming row and column of a value that is no number, or for damage.
        """
        del config
        with self._open() as table:
            columns = self._columns(table)
            names = [table.schema_arrow.names[place] for place in columns.places]
            done, total = 0, max(table.metadata.num_rows, 1)
            batches = table.iter_batches(_ROWS_PER_BATCH, columns=names)
            while (batch := self._next(batches, done)) is not None:
                stamps_ns, values = self._readings(batch, names, columns, done)
                for begin in range(0, len(stamps_ns), ROWS_PER_BLOCK):
                    part = slice(begin, begin + ROWS_PER_BLOCK)
                    yield SampleBlock(self.name, stamps_ns[part], values[part])
                done += batch.num_rows
                self.fraction = done / total

    def _open(self) -> pq.ParquetFile:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return pq.ParquetFile(self._path)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = str(error).splitlines()[0]
            raise SourceError(f"{self._path}: not a readable Parquet file ({reason})") from None

    def _next(self, batches: Iterator[pa.RecordBatch], done: int) -> pa.RecordBatch | None:
        import pyarrow as pa

        try:
            return next(batches, None)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = str(error).splitlines()[0]
            raise SourceError(
                f"{self._path}: damaged after row {done} ({reason}); write the file again"
            ) from None

    def _columns(self, table: pq.ParquetFile) -> TableColumns:
        columns = find_columns(table.schema_arrow.names)
        if isinstance(columns, list):
            raise SourceError(
                f"{self._path}: lacks the columns {', '.join(columns)}; expected "
                f"{','.join(COLUMNS)}, got {','.join(table.schema_arrow.names)!r}"
            )
        return columns

    def _readings(
        self, batch: pa.RecordBatch, names: list[str], columns: TableColumns, done: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        numbers = [self._numbers(batch, name, done) for name in names]
        stamps = numbers[0]
        if columns.stamp == STAMPS[0]:
            if stamps.dtype.kind not in "iu":
                raise SourceError(
                    f"{self._path}: column {names[0]!r} has {stamps.dtype}, expected whole "
                    "nanoseconds; name a column of seconds t_s"
                )
        else:
            usable = np.abs(stamps) < np.iinfo(np.int64).max / NS_PER_S
            if not usable.all():
                raise self._fault(done + int(np.argmin(usable)), names[0], "not seconds")
            stamps = np.round(stamps.astype(np.float64) * NS_PER_S)
        values = np.stack([column.astype(np.float64) for column in numbers[1:]], axis=1)
        return stamps.astype(np.int64), values

    def _numbers(self, batch: pa.RecordBatch, name: str, done: int) -> NDArray[Any]:
        """A column as numbers; times are whole nanoseconds."""
        import pyarrow as pa

        column = batch.column(batch.schema.names.index(name))
        if column.null_count:
            empty = np.asarray(column.is_null())
            raise self._fault(done + int(np.argmax(empty)), name, "empty")
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("ns")).cast(pa.int64())
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            raise SourceError(
                f"{self._path}: column {name!r} has values of type {column.type}, expected numbers"
            )
        numbers: NDArray[Any] = column.to_numpy(zero_copy_only=False)
        return numbers

    def _fault(self, row: int, column: str, what: str) -> SourceError:
        return SourceError(
            f"{self._path}: row {row + 1}, column {column!r} is {what}; correct or remove the row"
        )
