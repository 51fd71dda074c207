# SPDX-License-Identifier: Apache-2.0
"""The state of a run as a table in the terminal. Rich is imported when a table is shown."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import Console

    from sensebind.metrics.histogram import Summary
    from sensebind.metrics.snapshot import ClockState, Snapshot, StreamSnapshot

_MIB = 1 << 20
_STAGES = {
    "close": "close", "pend": "pend", "prep": "preprocess", "wait": "wait", "infer": "infer",
    "publ": "publish",
}  # fmt: skip
"""Heading to stage; a row fits a terminal of 80 characters."""
_HEADINGS = (*_STAGES, "p50", "p95", "p99", "max", "delay", "age")
_WIDTH = 6


def table_lines(snapshot: Snapshot) -> list[str]:
    """Latencies in milliseconds: medians of the stages, percentiles of their sum, of each stream.

    What was never measured is a dash. The last lines tell what the process uses, how well the
    clocks of devices are known, and what waits.
    """
    lines = ["".join(heading.rjust(_WIDTH) for heading in _HEADINGS)]
    for name, stream in snapshot.streams.items():
        dropped = _listed(stream.dropped)
        lines.append(
            f"{name}: {stream.modality}, {stream.embedded} windows, "
            f"{stream.windows_per_s:.1f} per second" + (f"; lost: {dropped}" if dropped else "")
        )
        lines.append("".join(cell.rjust(_WIDTH) for cell in _cells(stream)))
    lines.append(
        f"{snapshot.seconds:.0f} s, {snapshot.cpu_share:.2f} cores, "
        f"{snapshot.resident_bytes / _MIB:.0f} MiB (at most "
        f"{snapshot.peak_resident_bytes / _MIB:.0f}); ms, stages as medians"
    )
    lines += [_clock_line(name, clock) for name, clock in snapshot.clocks.items()]
    waiting = _listed(snapshot.queues)
    return [*lines, f"waiting: {waiting}"] if waiting else lines


@contextmanager
def live_table(console: Console) -> Iterator[Callable[[Snapshot], None]]:
    """Keep the table of the newest snapshot on the screen; on no terminal, print the last one.

    Yields:
        what takes snapshots.
    """
    from rich.live import Live
    from rich.text import Text

    def table(snapshot: Snapshot) -> Text:
        return Text("\n".join(table_lines(snapshot)), no_wrap=True, overflow="ellipsis")

    # What is printed meanwhile goes above the table, unless it goes elsewhere.
    with Live(
        Text("waiting for windows"),
        console=console,
        auto_refresh=False,
        redirect_stdout=sys.stdout.isatty(),
    ) as live:
        yield lambda snapshot: live.update(table(snapshot), refresh=True)
    if not console.is_terminal:
        console.line()


def _clock_line(name: str, clock: ClockState) -> str:
    if not clock.observations:
        return f"clock {name}: not seen yet"
    jumps = f", set {clock.jumps} times" if clock.jumps else ""
    return (
        f"clock {name}: {clock.drift_ppm:+.1f} ± {clock.drift_uncertainty_ppm:.1f} ppm, "
        f"messages wait {clock.spread_ms:.2f} ms{jumps}"
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count)


def _cells(stream: StreamSnapshot) -> list[str]:
    latency = stream.latency
    service = latency.get("service")
    return [
        *(_median(latency.get(stage)) for stage in _STAGES.values()),
        *([_ms(service.p50_ms), _ms(service.p95_ms), _ms(service.p99_ms), _ms(service.max_ms)]
          if service else ["-"] * 4),
        _median(latency.get("closing_delay")),
        _median(latency.get("age")),
    ]  # fmt: skip


def _median(summary: Summary | None) -> str:
    return _ms(summary.p50_ms) if summary else "-"


def _ms(duration_ms: float) -> str:
    """Three digits that count, in five characters; longer times in seconds or hours."""
    if abs(duration_ms) >= 3_600_000:
        return f"{duration_ms / 3_600_000:.3g}h" if abs(duration_ms) < 3.6e9 else "-"
    if abs(duration_ms) >= 10_000:
        return f"{duration_ms / 1000:.0f}s"
    if abs(duration_ms) >= 100:
        return f"{duration_ms:.0f}"
    return f"{duration_ms:.1f}" if abs(duration_ms) >= 10 else f"{duration_ms:.2f}"
