# SPDX-License-Identifier: Apache-2.0
"""How many of the threads it may use a run does use.

More threads than one must not change a byte: ONNX Runtime 1.31 takes another kernel for some
convolutions when it has several (measured: the second of the demo's IMU encoder), so each graph is
tried, once on a machine, and keeps to one thread if it differs.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from sensebind.backends.machine_cache import GraphKey, key_of, place_of, read_kept
from sensebind.backends.optimised import made_up, open_graph, output_bytes
from sensebind.storage import atomic_path

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.backends.onnx_session import Session
    from sensebind.backends.optimised import Graph
    from sensebind.types import Features

SHORT_S = 0.002
"""Runs of one thread that are shorter are not worth waking others, who do not spin."""

_RUNS = 3


class ThreadsRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many threads a graph uses where it may use some."""

    key: GraphKey
    threads: int


def open_with_threads(graph: Graph, threads: int) -> Session:
    """A session of a graph that uses up to so many threads and gives the bytes that one gives.

    Raises:
        Exception: whatever ONNX Runtime raises for a graph that cannot be loaded.
    """
    if threads == 1:
        return open_graph(graph, 1)
    place = place_of(key_of(graph.sha256)) if graph.sha256 else None
    path = None if place is None else place.with_name(f"{place.name}.threads-{threads}.json")
    known = None if path is None else read_kept(path, ThreadsRecord)
    if known is not None and known.key == key_of(graph.sha256):
        return open_graph(graph, known.threads)
    session, used = _tried(graph, threads)
    if path is not None:
        _keep(path, ThreadsRecord(key=key_of(graph.sha256), threads=used))
    return session


def _tried(graph: Graph, threads: int) -> tuple[Session, int]:
    """A session, and how many threads it uses."""
    batches = made_up(graph.inputs)
    one = open_graph(graph, 1)
    expected = output_bytes(one, batches)
    if _least_seconds(one, batches[-1]) < SHORT_S:
        return one, 1
    del one  # two of a large network might not fit
    several = open_graph(graph, threads)
    if output_bytes(several, batches) == expected:
        return several, threads
    return open_graph(graph, 1), 1


def _least_seconds(session: Session, features: Features) -> float:
    seconds = []
    for _ in range(_RUNS):
        begin = time.perf_counter()
        session.run(None, features)
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def _keep(path: Path, record: ThreadsRecord) -> None:
    with suppress(OSError):  # it is found out again
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            temporary.write_bytes(msgspec.json.encode(record))
