# SPDX-License-Identifier: Apache-2.0
"""Columns of a Parquet file of ours, some rows at a time: for whoever reads many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sensebind.sinks.reading import refusing_damage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import NDArray

    from sensebind.sinks.reading import RecordFile

_ROWS_AT_ONCE = 8192
_NO_VECTORS = np.empty((0, 0), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class StreamRows:
    """Consecutive records of one stream.

    Attributes:
        stream: its name.
        modality: its sense.
        start_ns, end_ns: int64 (n,) true spans.
        vectors: float32 (n, dim); (0, 0) where they were not asked for.
    """

    stream: str
    modality: str
    start_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]
    vectors: NDArray[np.float32]


def stream_rows(file: RecordFile, *, vectors: bool = True) -> Iterator[StreamRows]:
    """Yield the records of a file by stream, a bounded number of rows at a time.

    Args:
        file: opened by `open_records`.
        vectors: read the vectors too.

    Raises:
        InputError: the file is damaged behind its metadata.
    """
    names = ["stream", "modality", "start_ns", "end_ns", *(["vector"] if vectors else [])]
    # Buffering ahead would hold the whole file.
    with refusing_damage(file.path), pq.ParquetFile(file.path, pre_buffer=False) as table:
        for batch in table.iter_batches(_ROWS_AT_ONCE, columns=names, use_threads=False):
            yield from _split(batch, file.metadata.dim if vectors else 0)


def _split(batch: pa.RecordBatch, dim: int) -> Iterator[StreamRows]:
    streams = np.asarray(batch.column("stream").to_pylist(), dtype=object)
    modalities = batch.column("modality")
    start_ns, end_ns = (np.asarray(batch.column(n), np.int64) for n in ("start_ns", "end_ns"))
    vectors = _matrix(batch.column("vector"), dim) if dim else None
    for name in dict.fromkeys(streams.tolist()):
        own = np.flatnonzero(streams == name)
        yield StreamRows(
            name,
            str(modalities[int(own[0])]),
            start_ns[own],
            end_ns[own],
            _NO_VECTORS if vectors is None else vectors[own],
        )


def _matrix(column: pa.Array[Any], dim: int) -> NDArray[np.float32]:
    flat = np.asarray(column.flatten(), dtype=np.float32)  # type: ignore[attr-defined]
    return flat.reshape(-1, dim)
