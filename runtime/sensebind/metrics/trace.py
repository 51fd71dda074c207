# SPDX-License-Identifier: Apache-2.0
"""The way of single windows as a trace that Perfetto (ui.perfetto.dev) and Chrome open.

Format: "Trace Event Format" (Google, 2016), the JSON object form. Two views of the same times:

* a track per thread with what it did for which window, and arrows from the receipt of a block over
  preprocessing and the engine to the publication of the vector;
* for each window a group of its own in which the stages follow each other, waits included.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from sensebind.closing import Closing
from sensebind.errors import SinkError
from sensebind.storage import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensebind.metrics.times import WindowTimes
    from sensebind.types import Embedding

    Event = dict[str, Any]

_PROCESS = 1
_PREPROCESS, _INFER, _PUBLISH, _FIRST_SOURCE = 1, 2, 3, 4
_THREADS = {_PREPROCESS: "preprocess", _INFER: "infer", _PUBLISH: "publish"}
_INSTANT_NS = 1_000
"""Length at which a moment is drawn: arrows need something to begin and end at."""


class TraceWriter(Closing):
    """Keeps the newest windows and writes them when closed; an observer and a context manager."""

    def __init__(self, path: Path, windows: int = 5_000) -> None:
        """Keep at most `windows` windows, about 2 kB of the file each.

        Raises:
            SinkError: if the file cannot be written.
        """
        self._path = path
        self._kept: deque[tuple[WindowTimes, float]] = deque(maxlen=windows)
        self._write([])

    def observe(self, embedding: Embedding, times: WindowTimes) -> None:
        """Keep the times of a window that was published."""
        self._kept.append((times, embedding.coverage))

    def close(self) -> None:
        """Write the file.

        Raises:
            SinkError: if it cannot be written.
        """
        self._write(list(trace_events(list(self._kept))))

    def _write(self, events: list[Event]) -> None:
        content = msgspec.json.encode({"displayTimeUnit": "ms", "traceEvents": events})
        try:
            with atomic_path(self._path) as temporary:
                temporary.write_bytes(content)
        except OSError as error:
            raise SinkError(
                f"cannot write the trace {str(self._path)!r}: {error.strerror or error}; "
                "choose another file or free some space"
            ) from None


def trace_events(windows: list[tuple[WindowTimes, float]]) -> Iterator[Event]:
    """Events of the trace-event format; times in microseconds from the first receipt.

    Args:
        windows: times of each window, and its coverage.
    """
    origin_ns = min((times.received_ns for times, _ in windows), default=0)
    sources = sorted({times.stream for times, _ in windows})
    tracks = {name: _FIRST_SOURCE + number for number, name in enumerate(sources)}
    yield from _names(tracks)
    seen: set[tuple[int, int, int]] = set()  # a block that closes two windows is drawn once
    for number, (times, coverage) in enumerate(windows):
        facts: dict[str, object] = {
            "stream": times.stream,
            "modality": times.modality.value,
            "grid_ns": str(times.grid_ns),  # as text: JavaScript has no integers of 64 bits
            "coverage": coverage,
        }
        steps = _steps(times, tracks[times.stream])
        for name, thread, begin_ns, end_ns in steps:
            if (thread, begin_ns, end_ns) not in seen:
                seen.add((thread, begin_ns, end_ns))
                facts_here = {**facts, "batch": times.batch} if thread == _INFER else facts
                yield {
                    **_event("X", name, thread, begin_ns - origin_ns),
                    "dur": (end_ns - begin_ns) / 1e3,
                    "args": facts_here,
                }
        yield from _arrows(steps, number, origin_ns)
        yield from _group(times, number, origin_ns, facts)


def _names(tracks: dict[str, int]) -> Iterator[Event]:
    yield {**_event("M", "process_name", 0, 0), "args": {"name": "sensebind"}}
    threads = {**{track: f"source {name}" for name, track in tracks.items()}, **_THREADS}
    for thread, name in threads.items():
        yield {**_event("M", "thread_name", thread, 0), "args": {"name": name}}
        order = thread if thread >= _FIRST_SOURCE else thread + 1_000
        yield {**_event("M", "thread_sort_index", thread, 0), "args": {"sort_index": order}}


def _steps(times: WindowTimes, source: int) -> list[tuple[str, int, int, int]]:
    """Name, thread, begin and end of what threads did for a window."""
    return [
        ("receive", source, times.received_ns, times.received_ns + _INSTANT_NS),
        ("preprocess", _PREPROCESS, times.prepare_begin_ns, times.prepared_ns),
        ("infer", _INFER, times.infer_begin_ns, times.inferred_ns),
        ("publish", _PUBLISH, times.published_ns, times.published_ns + _INSTANT_NS),
    ]


def _arrows(steps: list[tuple[str, int, int, int]], number: int, origin_ns: int) -> Iterator[Event]:
    """Arrows from step to step; they are bound to what their thread did at that time."""
    last = len(steps) - 1
    for position, (_, thread, begin_ns, _) in enumerate(steps):
        phase = "s" if position == 0 else "f" if position == last else "t"
        event = {**_event(phase, "window", thread, begin_ns - origin_ns), "id": number}
        yield {**event, "bp": "e"} if phase == "f" else event


def _group(
    times: WindowTimes, number: int, origin_ns: int, facts: dict[str, object]
) -> Iterator[Event]:
    """The stages of a window one after the other, under one line for the whole."""

    def at(phase: str, name: str, time_ns: int) -> Event:
        event = _event(phase, name, _PREPROCESS, time_ns - origin_ns)
        return {**event, "id2": {"local": f"{number:#x}"}}  # of this process, not of all

    whole = f"{times.stream} window"
    yield {**at("b", whole, times.received_ns), "args": facts}
    for stage, begin_ns, end_ns in times.spans():
        yield at("b", stage, begin_ns)
        yield at("e", stage, end_ns)
    yield at("e", whole, times.published_ns)


def _event(phase: str, name: str, thread: int, time_ns: int) -> Event:
    """What all events have."""
    return {
        "ph": phase,
        "name": name,
        "cat": "window",
        "pid": _PROCESS,
        "tid": thread,
        "ts": time_ns / 1e3,
    }
