# SPDX-License-Identifier: Apache-2.0
"""What commands show: results on stdout, everything else on stderr."""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import typer

Say = Callable[[str], None]
"""Takes a line of the result."""
Advance = Callable[[float], None]
"""Takes the share done so far, 0..1."""


def error(message: str) -> None:
    """Show why a command failed."""
    note(typer.style("error: ", fg="red", bold=True) + message)


def warning(message: str) -> None:
    """Show something the user should know although work goes on."""
    note(typer.style("warning: ", fg="yellow", bold=True) + message)


def note(message: str) -> None:
    """Show how work goes on where stdout is for something else.

    Where nobody can read it, as the log's disk is full or the terminal is gone, work goes on too.
    """
    with suppress(OSError):
        typer.echo(message, err=True)


def say(message: str) -> None:
    """Show a line of the result."""
    typer.echo(message)


def show_json(value: object) -> None:
    """Show a value as one line of JSON."""
    import msgspec

    typer.echo(msgspec.json.encode(value))


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out rows in columns that are as wide as their widest cell; numbers to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    right = [bool(rows) and all(isinstance(row[i], (int, float)) for row in rows)
             for i in range(len(headers))]  # fmt: skip

    def line(row: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, right, strict=True)
        ]
        return "  ".join(padded).rstrip()

    return "\n".join(line(row) for row in [list(headers), *cells])


@contextmanager
def progress(label: str, *, shown: bool = True) -> Iterator[Advance]:
    """Show a bar on stderr, if it is a terminal.

    Yields:
        what takes the share done so far.
    """
    if not (shown and sys.stderr.isatty()):
        yield lambda _share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f}%"))
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as bars:
        task = bars.add_task(label, total=1.0)
        yield lambda share: bars.update(task, completed=share)


class _WarningHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        warning(record.getMessage())


@contextmanager
def warnings_on_stderr() -> Iterator[None]:
    """Show what the library logs as warnings."""
    logger, handler = logging.getLogger("sensebind"), _WarningHandler(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
