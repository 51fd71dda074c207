# SPDX-License-Identifier: Apache-2.0
"""IMU readings in a CSV table, read line by line."""

from __future__ import annotations

import csv
from io import TextIOWrapper
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from sensebind.errors import SourceError
from sensebind.sources.base import StreamInfo, StreamKind
from sensebind.sources.batching import ROWS_PER_BLOCK, sample_block

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensebind.sources.cdr import Row
    from sensebind.types import SampleBlock

COLUMNS = ("t_ns", "ax", "ay", "az", "gx", "gy", "gz")
"""Header of a table: stamps in ns, accelerations in m/s², angular velocities in rad/s."""

_STAMP_LIMIT_NS = 2**63


class TableFile:
    """One CSV file of IMU readings; columns may come in any order and others may be there."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.fraction = 0.0
        self._path = path

    def info(self) -> StreamInfo:
        """Describe the stream after checking the table's header."""
        try:
            with self._path.open("rb") as raw:
                self._columns(next(self._lines(raw), (1, []))[1])
        except SourceError as error:
            return StreamInfo(self.name, StreamKind.OTHER, "CSV table", note=str(error))
        return StreamInfo(self.name, StreamKind.SAMPLES, "CSV table")

    def blocks(self) -> Iterator[tuple[int, SampleBlock]]:
        """Yield the first stamp in ns and the readings of up to 64 lines.

        Raises:
            SourceError: naming line and column of a value that is no number.
        """
        with self._path.open("rb") as raw:
            lines = self._lines(raw)
            columns = self._columns(next(lines, (1, []))[1])
            readings = (self._reading(cells, columns, line) for line, cells in lines if cells)
            while block := list(islice(readings, ROWS_PER_BLOCK)):
                stamps_ns = [stamp_ns for stamp_ns, _ in block]
                yield stamps_ns[0], sample_block(self.name, stamps_ns, [row for _, row in block])

    def _lines(self, raw: BinaryIO) -> Iterator[tuple[int, list[str]]]:
        """Number and cells of each line of the table; bytes that are no text are escaped."""
        size = max(self._path.stat().st_size, 1)
        with TextIOWrapper(raw, "utf-8-sig", "backslashreplace", newline="") as text:
            reader = csv.reader(text)
            try:
                for cells in reader:
                    self.fraction = raw.tell() / size
                    yield reader.line_num, cells
            except csv.Error as error:
                raise SourceError(
                    f"{self._path}: line {reader.line_num} is no line of a table ({error}); "
                    f"expected the header {','.join(COLUMNS)} and numbers below it"
                ) from None

    def _columns(self, header: list[str]) -> list[int]:
        """Where each of COLUMNS is in the table."""
        names = [name.strip() for name in header]
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            raise SourceError(
                f"{self._path}: line 1 lacks the columns {', '.join(missing)}; expected the header "
                f"{','.join(COLUMNS)}, got {','.join(names) or 'nothing'!r}"
            )
        return [names.index(name) for name in COLUMNS]

    def _reading(self, cells: list[str], columns: list[int], line: int) -> tuple[int, Row]:
        texts = [cells[place] if place < len(cells) else "" for place in columns]
        values = []
        for name, text in zip(COLUMNS, texts, strict=True):
            value = _number(name, text)
            if value is None:
                kind = "a whole number of nanoseconds" if name == COLUMNS[0] else "a number"
                raise SourceError(
                    f"{self._path}: line {line}, column {name!r}: {text!r} is not {kind}; "
                    "correct or remove the line"
                )
            values.append(value)
        return int(values[0]), tuple(float(value) for value in values[1:])


def _number(column: str, text: str) -> int | float | None:
    try:
        if column != COLUMNS[0]:
            return float(text)
        stamp_ns = int(text)
    except ValueError:
        return None
    return stamp_ns if abs(stamp_ns) < _STAMP_LIMIT_NS else None
