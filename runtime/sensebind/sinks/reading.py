# SPDX-License-Identifier: Apache-2.0
"""Records back from a Parquet file of ours."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sensebind.errors import InputError
from sensebind.records import Record, RunMetadata
from sensebind.sinks.base import SCALAR_COLUMNS
from sensebind.types import Embedding, Fused, Modality

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class RecordFile:
    """A Parquet file of records that was opened and checked.

    Attributes:
        path: the file.
        metadata: of the run that wrote it.
        count: number of records.
    """

    path: Path
    metadata: RunMetadata
    count: int

    def records(self) -> Iterator[Record]:
        """Yield the records in order, in bounded memory, bit for bit as they were written.

        Raises:
            InputError: the file is damaged behind its metadata.
        """
        with refusing_damage(self.path), pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE):
                yield from _records(batch, self.metadata)


def open_records(path: Path) -> RecordFile:
    """Open a Parquet file that a run wrote.

    Raises:
        InputError: if it cannot be read, or a run of ours did not write it.
    """
    try:
        with pq.ParquetFile(path) as file:
            keys = file.schema_arrow.metadata or {}
            count = file.metadata.num_rows
            names = set(file.schema_arrow.names)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: not a readable Parquet file: {error}; expected what "
            "'sensebind replay --out FILE.parquet' writes"
        ) from None
    missing = [name for name in (*SCALAR_COLUMNS, "vector") if name not in names]
    if missing:
        raise InputError(
            f"{path}: has no column {missing[0]!r}; expected what "
            "'sensebind replay --out FILE.parquet' writes"
        )
    texts = {key.decode(errors="replace"): v.decode(errors="replace") for key, v in keys.items()}
    return RecordFile(path, RunMetadata.decode(texts, str(path)), count)


@contextmanager
def refusing_damage(path: Path) -> Iterator[None]:
    """Turn whatever Arrow and NumPy make of rows that are not as the schema says into one error.

    Raises:
        InputError: naming the file.
    """
    try:
        yield
    except (OSError, pa.ArrowException, ValueError, TypeError, LookupError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: its records cannot be read: {reason}; write the file again, or if it is a "
            "part of an interrupted run move it away and recover the others"
        ) from None


def _records(batch: pa.RecordBatch, metadata: RunMetadata) -> Iterator[Record]:
    columns = {name: batch.column(name) for name in batch.schema.names}
    scalars = {name: columns[name].to_pylist() for name in SCALAR_COLUMNS}
    vectors = _rows(columns["vector"], batch.num_rows)
    labels = columns["label"].to_pylist() if metadata.labels else [None] * batch.num_rows
    scores = _rows(columns["scores"], batch.num_rows) if metadata.labels else None
    prompt_sets = _column(columns, "prompt_set", "", batch.num_rows)
    members = _column(columns, "members", (), batch.num_rows)
    for row in range(batch.num_rows):
        values: dict[str, Any] = {name: column[row] for name, column in scalars.items()}
        name = values.pop("modality")
        modality = Fused.JOINT if name == Fused.JOINT.value else Modality(name)
        embedding = Embedding(
            **values,
            modality=modality,
            encoder_id=metadata.encoder_id(values["stream"], modality.value),
            vector=vectors[row],
        )
        yield Record(
            embedding,
            labels[row],
            None if scores is None else scores[row],
            prompt_sets[row],
            tuple(members[row]),
        )


def _column(columns: dict[str, pa.Array[Any]], name: str, default: object, rows: int) -> list[Any]:
    """Values of a column, the default where the file has none."""
    return columns[name].to_pylist() if name in columns else [default] * rows


def _rows(column: pa.Array[Any], rows: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    flat = np.asarray(column.flatten(), dtype=np.float32)  # type: ignore[attr-defined]
    return flat.reshape(rows, -1)
