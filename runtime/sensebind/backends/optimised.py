# SPDX-License-Identifier: Apache-2.0
"""Copies of graphs as ONNX Runtime rewrites them, from which a session starts sooner.

Whenever a session opens a graph, the library fuses operators, folds constants and lays weights out
for the processor. Its result is kept on this machine, weights beside the graph so that they are
mapped instead of copied. A copy is used only if it was seen to give the very bytes that the graph
gives and to open faster; else that is what is kept. It can thus not be told from a vector whether
there was one.

A file whose length and time of change are as they were when the copy was made is taken as it is;
another one's CRC-32 is looked at, which finds damage. Whoever may write this user's cache needs no
graph to do harm.
"""

from __future__ import annotations

import logging
import time
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from sensebind.backends.machine_cache import GraphKey, alone, key_of, place_of, read_kept
from sensebind.backends.onnx_session import Session, open_session
from sensebind.storage import atomic_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.specs import TensorSpec
    from sensebind.types import Features

_log = logging.getLogger(__name__)

SMALLEST_BYTES = 4 << 20
"""Of a graph that gets a copy: measured, smaller ones open in some milliseconds either way."""

LONGEST = 1.0
"""Share of the graph's opening time that a copy's may be."""

_GRAPH, _RECORD = "graph.onnx", "copy.json"
_PIECE_BYTES = 1 << 20
_TIMED = 3
_TOKENS = (4, 16, 40)  # of made-up texts


class Graph(NamedTuple):
    """A graph of a bundle.

    Attributes:
        path: its file.
        inputs: what it takes.
        sha256: of the file, which was checked; "" where it is not known.
    """

    path: Path
    inputs: tuple[TensorSpec, ...]
    sha256: str = ""


class FileSum(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Length, CRC-32 and time of change of a file."""

    bytes: int
    crc32: int
    changed_ns: int


class CopyRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What came of making a copy.

    Attributes:
        key: what it was made from and for.
        refused: why there is none; "" if there is.
        files: of the copy, by name.
        graph_s: processor time, in seconds, that opening the graph took.
        copy_s: that of checking and opening the copy.
    """

    key: GraphKey
    refused: str
    files: dict[str, FileSum]
    graph_s: float
    copy_s: float


def open_graph(graph: Graph, threads: int) -> Session:
    """A session of a graph: from its copy where there is a good one, made now if there was none.

    Raises:
        Exception: whatever ONNX Runtime raises for a graph that cannot be loaded.
    """
    place = _place(graph)
    if place is None:
        return open_session(str(graph.path), threads)
    record = _read(place, graph)
    damage = "" if record is None else _damage(place, record)
    if damage:
        _log.warning("%s; the copy is made anew", damage)
    if record is None or damage:
        record = _made(graph, place, threads)
    if record is not None and not record.refused:
        with suppress(Exception):  # the graph itself is there
            return open_session(str(place / _GRAPH), threads, rewritten=True)
    return open_session(str(graph.path), threads)


def read_record(graph: Graph) -> CopyRecord | None:
    """What is known about the copy of a graph; None if nothing is."""
    place = _place(graph)
    return None if place is None else _read(place, graph)


def made_up(inputs: Sequence[TensorSpec]) -> list[Features]:
    """Batches of one row to try a graph on: noise for floats, ones for all else.

    One, but where an axis is dynamic, as of text, one for each of several lengths.
    """
    lengths = _TOKENS if any(isinstance(a, str) for s in inputs for a in s.shape[1:]) else (1,)
    return [{spec.name: _noise(spec, length) for spec in inputs} for length in lengths]


def output_bytes(session: Session, batches: Sequence[Features]) -> bytes:
    """The bytes of all outputs of some runs."""
    return b"".join(output.tobytes() for batch in batches for output in session.run(None, batch))


def _noise(spec: TensorSpec, length: int) -> NDArray[Any]:
    shape = (1, *(axis if isinstance(axis, int) else length for axis in spec.shape[1:]))
    if spec.dtype.startswith("int"):
        return np.ones(shape, spec.dtype)
    return np.random.default_rng(0).standard_normal(shape).astype(spec.dtype)


def _place(graph: Graph) -> Path | None:
    """Where its copy lies; None if it shall have none."""
    if not graph.sha256 or graph.path.with_name(f"{graph.path.name}.data").exists():
        return None  # weights beside a graph are mapped already
    if graph.path.stat().st_size < SMALLEST_BYTES:
        return None
    return place_of(key_of(graph.sha256))


def _read(place: Path, graph: Graph) -> CopyRecord | None:
    record = read_kept(place / _RECORD, CopyRecord)
    return record if record is not None and record.key == key_of(graph.sha256) else None


def _damage(place: Path, record: CopyRecord) -> str:
    """What is wrong with the files of a copy; "" if nothing is."""
    for name, expected in record.files.items():
        path = place / name
        try:
            now = path.stat()
            if (now.st_size, now.st_mtime_ns) == (expected.bytes, expected.changed_ns):
                continue
            found = _sum_of(path)
        except OSError as error:
            return f"{path} cannot be read: {error}"
        if (found.bytes, found.crc32) != (expected.bytes, expected.crc32):
            return f"{path} was changed or cut short"
    return ""


def _made(graph: Graph, place: Path, threads: int) -> CopyRecord | None:
    """Make a copy, unless another process is at it or it cannot be kept; None then."""
    try:
        with alone(place) as may:
            if not may:
                return None
            with atomic_folder(place, replace=True) as draft:
                return _fill(draft, graph, threads)
    except Exception as error:  # noqa: BLE001 - a full disk makes ONNX Runtime raise whatever
        _log.info("no optimised copy of %s is kept in %s: %s", graph.path, place.parent, error)
        return None


def _fill(draft: Path, graph: Graph, threads: int) -> CopyRecord:
    """Put a copy into a folder, or the reason why there is none."""
    key = key_of(graph.sha256)
    open_session(str(graph.path), threads, keep_as=draft / _GRAPH)
    files = {path.name: _sum_of(path) for path in sorted(draft.iterdir())}
    record = CopyRecord(key=key, refused="", files=files, graph_s=0, copy_s=0)

    def open_copy() -> Session:
        _damage(draft, record)  # as at every start
        return open_session(str(draft / _GRAPH), threads, rewritten=True)

    (graph_s, given), (copy_s, found) = _tried(
        (lambda: open_session(str(graph.path), threads), open_copy), made_up(graph.inputs)
    )
    refused = ""
    if found != given:
        refused = "its vectors have other bytes"
    elif copy_s > LONGEST * graph_s:
        refused = "it opens no faster"
    if refused:
        for name in files:
            (draft / name).unlink()
    record = CopyRecord(
        key=key,
        refused=refused,
        files={} if refused else files,
        graph_s=round(graph_s, 6),
        copy_s=round(copy_s, 6),
    )
    (draft / _RECORD).write_bytes(msgspec.json.encode(record))
    _log.info("optimised copy of %s: %s", graph.path, refused or f"kept in {draft.parent}")
    return record


def _tried(
    openers: Sequence[Callable[[], Session]], batches: Sequence[Features]
) -> list[tuple[float, bytes]]:
    """Least processor time that each way of opening took, in seconds, and the bytes of runs."""
    seconds: list[list[float]] = [[] for _ in openers]
    outputs = [b""] * len(openers)
    for _ in range(_TIMED):
        for number, opener in enumerate(openers):
            begin = time.process_time()  # others may use the processor meanwhile
            session = opener()
            seconds[number].append(time.process_time() - begin)
            outputs[number] = outputs[number] or output_bytes(session, batches)
            del session  # two of a large network might not fit
    return list(zip(map(min, seconds), outputs, strict=True))


def _sum_of(path: Path) -> FileSum:
    length, crc = 0, 0
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE_BYTES):
            length += len(piece)
            crc = zlib.crc32(piece, crc)
    return FileSum(length, crc, path.stat().st_mtime_ns)
