# SPDX-License-Identifier: Apache-2.0
"""What a user wants to see of a run while it goes on, or afterwards."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sensebind.metrics.lines import SnapshotLines
from sensebind.metrics.table import live_table
from sensebind.metrics.ticker import Ticker
from sensebind.metrics.trace import TraceWriter
from sensebind.run_state import run_stats
from sensebind.sinks import check_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sensebind.flow.run import Observe
    from sensebind.flow.worker import View
    from sensebind.metrics.snapshot import Snapshot
    from sensebind.pipeline import Pipeline
    from sensebind.records import Record

    Taker = Callable[[Snapshot], None]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What to show of a run.

    Attributes:
        table: keep a table of latencies on the screen (stderr).
        lines: write a line of statistics per second to this file.
        trace: write the way of the last windows to this file.
        rerun: write what was seen and said to this file.
    """

    table: bool = False
    lines: Path | None = None
    trace: Path | None = None
    rerun: Path | None = None

    def check(self) -> None:
        """Check that the files can be written, before any work is done.

        Raises:
            InputError: naming the file and the reason.
        """
        for path in (self.lines, self.trace, self.rerun):
            if path is not None:
                check_place(path)


@dataclass(slots=True)
class Watchers:
    """What a run is to tell, and whom.

    Attributes:
        observers: of windows that were published.
        views: of windows and what their encoders get.
        records: of what sinks get.
        on_screen: whether the terminal is taken.
    """

    observers: list[Observe] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    records: list[Callable[[Record], None]] = field(default_factory=list)
    on_screen: bool = False


@contextmanager
def watching(
    wishes: Wishes, pipeline: Pipeline, labels: tuple[str, ...] = ()
) -> Iterator[Watchers]:
    """Show a run as wished while the block lasts.

    Raises:
        MissingExtraError: if Rerun is wished for and not installed.
        SinkError: if a file cannot be written.
    """
    watchers = Watchers(on_screen=wishes.table)
    with ExitStack() as stack:
        if wishes.trace is not None:
            watchers.observers.append(stack.enter_context(TraceWriter(wishes.trace)).observe)
        if wishes.rerun is not None:
            from sensebind.viewing import RerunView

            view = stack.enter_context(RerunView(wishes.rerun, labels))
            watchers.views.append(view.show_window)
            watchers.records.append(view.show_record)
        if takers := _takers(wishes, stack):
            stats = run_stats(pipeline)
            watchers.observers.append(stats.observe)
            stack.enter_context(Ticker(stats.snapshot, takers))
        yield watchers


def _takers(wishes: Wishes, stack: ExitStack) -> list[Taker]:
    takers: list[Taker] = []
    if wishes.lines is not None:
        takers.append(stack.enter_context(SnapshotLines(wishes.lines)).take)
    if wishes.table:
        from rich.console import Console

        takers.append(stack.enter_context(live_table(Console(stderr=True))))
    return takers
