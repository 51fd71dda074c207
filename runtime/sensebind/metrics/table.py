# SPDX-License-Identifier: Apache-2.0
"""The state of a run as a table in the terminal. Rich is imported when a table is drawn."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sensebind.metrics.times import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import Console
    from rich.table import Table

    from sensebind.metrics.histogram import Summary
    from sensebind.metrics.snapshot import Snapshot, StreamSnapshot

_MIB = 1 << 20
_COLUMNS = ("window", "per s", *STAGES, "service p50", "p95", "p99", "max", "closing", "age")
_NOTHING = "-"


def snapshot_table(snapshot: Snapshot) -> Table:
    """Latencies in milliseconds: medians of the stages, percentiles of their sum.

    One row per stream, and under it what was dropped; under all of them what waits where.
    """
    from rich.table import Table

    waiting = _listed(snapshot.queues)
    table = Table(
        caption=f"{snapshot.seconds:.0f} s, {snapshot.cpu_share:.2f} cores, "
        f"{snapshot.resident_bytes / _MIB:.0f} MiB (at most "
        f"{snapshot.peak_resident_bytes / _MIB:.0f}); times in ms, stages are medians"
        + (f"\nwaiting: {waiting}" if waiting else ""),
        caption_justify="left",
        header_style="bold",
        box=None,
        pad_edge=False,
    )
    table.add_column("stream", overflow="fold")
    for name in _COLUMNS:
        table.add_column(name.replace("window", "windows"), justify="right", no_wrap=True)
    for name, stream in snapshot.streams.items():
        table.add_row(name, *_cells(stream))
        if dropped := _listed(stream.dropped):
            table.add_row(f"  dropped: {dropped}", style="yellow")
    return table


@contextmanager
def live_table(console: Console) -> Iterator[Callable[[Snapshot], None]]:
    """Keep the table of the newest snapshot on the screen; on no terminal, print the last one.

    Yields:
        what takes snapshots.
    """
    from rich.live import Live
    from rich.text import Text

    with Live(Text("waiting for windows"), console=console, auto_refresh=False) as live:
        yield lambda snapshot: live.update(snapshot_table(snapshot), refresh=True)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count)


def _cells(stream: StreamSnapshot) -> list[str]:
    latency = stream.latency
    service = latency.get("service")
    return [
        str(stream.embedded),
        f"{stream.windows_per_s:.1f}",
        *(_median(latency.get(stage)) for stage in STAGES),
        *([_ms(service.p50_ms), _ms(service.p95_ms), _ms(service.p99_ms), _ms(service.max_ms)]
          if service else [_NOTHING] * 4),
        _median(latency.get("closing_delay")),
        _median(latency.get("age")),
    ]  # fmt: skip


def _median(summary: Summary | None) -> str:
    return _ms(summary.p50_ms) if summary else _NOTHING


def _ms(duration_ms: float) -> str:
    """Three digits that count."""
    if abs(duration_ms) >= 100:
        return f"{duration_ms:.0f}"
    return f"{duration_ms:.1f}" if abs(duration_ms) >= 10 else f"{duration_ms:.2f}"
