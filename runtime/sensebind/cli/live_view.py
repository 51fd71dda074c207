# SPDX-License-Identifier: Apache-2.0
"""What a live run looks like in the terminal: a line per stream, as it is now."""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensebind.records import Record

_BARS = "▁▂▃▄▅▆▇█"
_REMEMBERED = 24
_SHOW_EVERY_S = 0.2
_HEADINGS = ("stream", "sense", "per s", "coverage", "age ms", "label", "score")


@dataclass(slots=True)
class _Line:
    """The latest of one stream."""

    record: Record
    published_s: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    scores: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    age_ms: float = 0.0


class LiveView:
    """The latest record of each stream, with its rate, age and how its best score went."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    def add(self, record: Record) -> None:
        """Take the newest record of a stream."""
        embedding = record.embedding
        line = self._lines.setdefault(embedding.stream, _Line(record))
        line.record = record
        line.published_s.append(time.monotonic())
        line.age_ms = (time.time_ns() - embedding.stamp_ns) / 1e6
        if record.scores is not None:
            line.scores.append(float(record.scores.max()))

    def rows(self) -> list[list[str]]:
        """A row per stream under the headings, the last cell a sparkline of its best scores."""
        return [[*_cells(name, line), _spark(line.scores)] for name, line in self._lines.items()]


@contextmanager
def shown(view: LiveView, *, hidden: bool = False) -> Iterator[LiveView]:
    """Keep the view on the terminal, which stderr is, while the block lasts."""
    if hidden:
        yield view
        return
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    def table() -> Table:
        made = Table(*_HEADINGS, "", box=None, pad_edge=False)
        for row in view.rows():
            made.add_row(*row)
        return made

    console = Console(stderr=True, force_terminal=True)
    with Live(get_renderable=table, console=console, refresh_per_second=1 / _SHOW_EVERY_S):
        yield view


def _cells(name: str, line: _Line) -> list[str]:
    embedding, scores = line.record.embedding, line.record.scores
    return [
        name,
        embedding.modality.value,
        f"{_rate_hz(line.published_s):.1f}",
        f"{embedding.coverage:.2f}",
        f"{line.age_ms:.0f}",
        line.record.label or "-",
        "-" if scores is None else f"{float(scores.max()):.2f}",
    ]


def _rate_hz(times_s: deque[float]) -> float:
    span_s = times_s[-1] - times_s[0]
    return (len(times_s) - 1) / span_s if span_s > 0 else 0.0


def _spark(values: deque[float]) -> str:
    """Shares from 0 to 1 as bars."""
    return "".join(_BARS[min(int(value * len(_BARS)), len(_BARS) - 1)] for value in values)
