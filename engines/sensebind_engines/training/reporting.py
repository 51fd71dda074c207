# SPDX-License-Identifier: Apache-2.0
"""What a run tells while it goes: a JSON line per logged step, TensorBoard, a progress bar."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import msgspec

from sensebind.errors import MissingExtraError
from sensebind.json_text import NOT_JSON
from sensebind_engines.training.files import explaining_write, write_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class StepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `log.jsonl`.

    Attributes:
        step: number of steps done.
        loss: weighted sum of the edges' losses at the last of them.
        edges: loss of each edge, by its name.
        temperatures: of each edge, by its name.
        rate: learning rate.
        gradient_norm: before clipping.
        items_per_s: rows of all data since the line before, all processes together.
    """

    step: int
    loss: float
    edges: dict[str, float]
    temperatures: dict[str, float]
    rate: float
    gradient_norm: float
    items_per_s: float


class Reporter(Protocol):
    """Takes the records of a run."""

    def __call__(self, record: StepRecord) -> None:
        """Tell one record."""
        ...


class Log:
    """Appends records to a file of JSON lines; each is on disk's way before the next step."""

    def __init__(self, path: Path, steps_done: int) -> None:
        """Open the log, without lines of steps that will be done again.

        Raises:
            SinkError: if it cannot be written.
        """
        self._path = path
        if path.exists():
            write_bytes(path, b"".join(_kept(path.read_bytes(), steps_done)))
        with explaining_write(path):
            self._stream = path.open("ab", buffering=0)

    def __call__(self, record: StepRecord) -> None:
        """Append a line.

        Raises:
            SinkError: if it cannot be written.
        """
        with explaining_write(self._path):
            self._stream.write(msgspec.json.encode(record) + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def read_log(path: Path) -> list[StepRecord]:
    """Records of a log."""
    return [msgspec.json.decode(line, type=StepRecord) for line in path.read_bytes().splitlines()]


@contextmanager
def tensorboard(folder: Path) -> Iterator[Reporter]:
    """Write event files.

    Raises:
        MissingExtraError: if TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("training.tensorboard", "train") from error

    def tell(record: StepRecord) -> None:
        values = {"loss": record.loss, "rate": record.rate, "gradient_norm": record.gradient_norm}
        values |= {f"edges/{name}": value for name, value in record.edges.items()}
        values |= {f"temperatures/{name}": value for name, value in record.temperatures.items()}
        for name, value in values.items():
            writer.add_scalar(name, value, record.step)

    writer = SummaryWriter(str(folder))
    try:
        yield tell
    finally:
        writer.close()


@contextmanager
def bar(steps: int, done: int, *, shown: bool) -> Iterator[Callable[[int, float], None]]:
    """Show progress on stderr, if it is a terminal.

    Yields:
        what takes the steps done and the loss.
    """
    if not (shown and sys.stderr.isatty()):
        yield lambda _done, _loss: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn())
    loss_column = TextColumn("loss {task.fields[loss]:.4f}")
    with Progress(
        *columns, loss_column, TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as bars:
        task = bars.add_task("training", total=steps, completed=done, loss=float("nan"))
        yield lambda completed, loss: bars.update(task, completed=completed, loss=loss)


def _kept(content: bytes, steps_done: int) -> Iterator[bytes]:
    """Whole lines of steps up to `steps_done`; a run that was killed may leave half a line."""
    for line in content.splitlines(keepends=True):
        try:
            step = msgspec.json.decode(line, type=StepRecord).step
        except NOT_JSON:
            continue
        if line.endswith(b"\n") and step <= steps_done:
            yield line
