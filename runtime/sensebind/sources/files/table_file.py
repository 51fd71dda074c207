# SPDX-License-Identifier: Apache-2.0
"""IMU readings in a CSV table, read line by line."""

from __future__ import annotations

import csv
from decimal import Decimal, InvalidOperation
from io import TextIOWrapper
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from sensebind.errors import SourceError
from sensebind.grid import NS_PER_S
from sensebind.sources.base import StreamInfo, StreamKind
from sensebind.sources.batching import ROWS_PER_BLOCK, sample_block
from sensebind.sources.files.table_columns import COLUMNS, STAMPS, TableColumns, find_columns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensebind.config import StreamConfig
    from sensebind.sources.messages.cdr import Row
    from sensebind.types import SampleBlock

_STAMP_LIMIT_NS = 2**63
_SEPARATORS = {";": "';'", "\t": "tabs"}
"""What spreadsheets put between cells where a comma is in numbers."""


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
                columns = self._columns(next(self._lines(raw), (1, []))[1])
        except SourceError as error:
            return StreamInfo(self.name, StreamKind.OTHER, "CSV table", note=str(error))
        return StreamInfo(self.name, StreamKind.SAMPLES, "CSV table", columns.encoding)

    def blocks(self, config: StreamConfig) -> Iterator[SampleBlock]:
        """Yield blocks of the readings of up to 64 lines.

        Raises:
            SourceError: naming line and column of a value that is no number.
        """
        del config
        with self._path.open("rb") as raw:
            lines = self._lines(raw)
            columns = self._columns(next(lines, (1, []))[1])
            readings = (self._reading(cells, columns, line) for line, cells in lines if cells)
            while block := list(islice(readings, ROWS_PER_BLOCK)):
                stamps_ns = [stamp_ns for stamp_ns, _ in block]
                yield sample_block(self.name, stamps_ns, [row for _, row in block])

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

    def _columns(self, header: list[str]) -> TableColumns:
        """Where stamps and readings are in the table."""
        columns = find_columns(header)
        if isinstance(columns, list):
            got = ",".join(name.strip() for name in header) or "nothing"
            for separator, told in _SEPARATORS.items():
                names = [name.strip(' "') for name in got.split(separator)]
                if isinstance(find_columns(names), TableColumns):
                    raise SourceError(
                        f"{self._path}: line 1 has {told} between its cells, expected ','; write "
                        "the table with ',' between cells, '.' in numbers and every digit of its "
                        "times (spreadsheets round them unless the column is text)"
                    )
            raise SourceError(
                f"{self._path}: line 1 lacks the columns {', '.join(columns)}; expected the header "
                f"{','.join(COLUMNS)}, got {got!r}"
            )
        return columns

    def _reading(self, cells: list[str], columns: TableColumns, line: int) -> tuple[int, Row]:
        texts = [cells[place] if place < len(cells) else "" for place in columns.places]
        stamp_ns = stamp_of(columns.stamp, texts[0])
        if stamp_ns is None:
            raise self._fault_of_stamp(line, columns.stamp, texts[0])
        row = []
        for name, text in zip(columns.names, texts[1:], strict=True):
            try:
                row.append(float(text))
            except ValueError:  # noqa: PERF203 - the first bad cell ends the reading
                expected = "a number" if text.count(",") != 1 else "a number; write it with '.'"
                raise self._fault(line, name, text, expected) from None
        return stamp_ns, tuple(row)

    def _fault_of_stamp(self, line: int, column: str, text: str) -> SourceError:
        if is_rounded(column, text):
            return SourceError(
                f"{self._path}: line {line}, column {column!r}: {text!r} has lost its last digits, "
                "as in a spreadsheet; write the table again from its source, with every digit"
            )
        kind = "a whole number of nanoseconds" if column == STAMPS[0] else "seconds"
        return self._fault(line, column, text, kind)

    def _fault(self, line: int, column: str, text: str, expected: str) -> SourceError:
        return SourceError(
            f"{self._path}: line {line}, column {column!r}: {text!r} is not {expected}; "
            "correct or remove the line"
        )


def stamp_of(column: str, text: str) -> int | None:
    """The stamp in ns that a cell tells; None if it is rounded or none an int64 holds."""
    try:
        if column == STAMPS[0]:
            stamp_ns = int(text)
        else:
            if not abs(float(text)) * NS_PER_S < _STAMP_LIMIT_NS or is_rounded(column, text):
                return None
            stamp_ns = round(Decimal(text.strip()) * NS_PER_S)
    except (ValueError, InvalidOperation):
        return None
    return stamp_ns if abs(stamp_ns) < _STAMP_LIMIT_NS else None


def is_rounded(column: str, text: str) -> bool:
    """Whether a time is written with an exponent that leaves whole nanoseconds or seconds out."""
    try:
        time = Decimal(text.strip().replace(",", "."))
        if "e" not in text.lower() or not time.copy_abs() < _STAMP_LIMIT_NS:
            return False
    except InvalidOperation:
        return False
    return column == STAMPS[0] or time.as_tuple().exponent > 0  # type: ignore[operator]
