# SPDX-License-Identifier: Apache-2.0
"""Search in recorded embeddings: the moments whose vectors lie nearest to a query.

Exact: the cosine of every vector is computed, in float64. Vectors are read some rows at a time and
dropped; what stays in memory is 24 bytes per window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.errors import InputError
from sensebind.moments import find_peaks
from sensebind.sinks.columns import stream_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from sensebind.sinks.reading import RecordFile

_SMALLEST_NORM = 1e-6

Recording = tuple[str, str]
"""What records were made from: its name and its sha256, or the folder of the files where it has
none. Files of one recording share a beginning."""


class Place(NamedTuple):
    """A window: of which recording and stream, and its span."""

    recording: Recording
    stream: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of a stream that a query found.

    Attributes:
        score: cosine of the query and the best window's vector, -1..1.
        stream: where.
        modality: its sense.
        start_ns, end_ns: span of the moment: see `sensebind.moments`.
        best_ns: middle of the best window.
        begin_ns: where the recording begins: the first start of any of its windows.
        recording: name of what the records were made from.
    """

    score: float
    stream: str
    modality: str
    start_ns: int
    end_ns: int
    best_ns: int
    begin_ns: int
    recording: str


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a stream's windows lie."""

    modality: str
    start_ns: int
    end_ns: int


def combine(
    plus: Sequence[NDArray[np.float32]], minus: Sequence[NDArray[np.float32]] = ()
) -> NDArray[np.float64]:
    """The query of vectors added and taken off, each of length 1 before and the sum after.

    Args:
        plus: vectors (dim,), at least one.
        minus: vectors (dim,).

    Returns:
        float64 (dim,), norm 1.

    Raises:
        InputError: they cancel each other out.
    """
    total = sum((_unit(v) for v in plus), np.zeros(len(plus[0])))
    total = total - sum((_unit(v) for v in minus), np.zeros(len(plus[0])))
    if np.linalg.norm(total) < _SMALLEST_NORM:
        raise InputError("what is added and what is taken off cancel each other out; change one")
    return _unit(total)


def check_spaces(files: Sequence[RecordFile], space_id: str | None, name: str = "") -> None:
    """Refuse files whose vectors cannot be compared with each other or with a query.

    Args:
        files: what is searched; at least one.
        space_id: of the query; None if it is taken from the files themselves.
        name: of the query's bundle.

    Raises:
        InputError: naming both spaces.
    """
    first = files[0].metadata
    wanted, owner = (first.space_id, str(files[0].path)) if space_id is None else (space_id, "")
    for file in files:
        found = file.metadata
        if found.space_id != wanted:
            other = f"those of {owner}" if owner else f"the query, by the bundle {name!r},"
            raise InputError(
                f"{file.path} has vectors of the space {found.space_id[:16]} (bundle "
                f"{found.bundle!r}), {other} are of {wanted[:16]}: they cannot be compared; "
                "encode both with bundles of one anchor, or name the right one with --bundle"
            )


def extents(files: Iterable[RecordFile]) -> dict[Recording, dict[str, Extent]]:
    """Every stream of every recording, and where its windows lie; reads no vectors."""
    found: dict[Recording, dict[str, Extent]] = {}
    for file in files:
        streams = found.setdefault(recording_of(file), {})
        for rows in stream_rows(file, vectors=False):
            start_ns, end_ns = int(rows.start_ns.min()), int(rows.end_ns.max())
            if rows.stream in streams:
                known = streams[rows.stream]
                start_ns, end_ns = min(start_ns, known.start_ns), max(end_ns, known.end_ns)
            streams[rows.stream] = Extent(rows.modality, start_ns, end_ns)
    return found


def begin_of(streams: Mapping[str, Extent]) -> int:
    """Where a recording begins: the first start of any of its windows."""
    return min(extent.start_ns for extent in streams.values())


def recording_of(file: RecordFile) -> Recording:
    """What a file's records were made from."""
    return file.metadata.source, file.metadata.source_sha256 or str(file.path.parent)


def vector_at(
    files: Sequence[RecordFile], recording: Recording, stream: str, stamp_ns: int
) -> tuple[Place, NDArray[np.float32]]:
    """The window of a stream whose middle is nearest to a stamp, and its vector (dim,)."""
    best: tuple[int, Place, NDArray[np.float32]] | None = None
    for file in files:
        if recording_of(file) != recording:
            continue
        for rows in stream_rows(file):
            if rows.stream != stream:
                continue
            distance = np.abs((rows.start_ns - stamp_ns) + (rows.end_ns - stamp_ns))
            at = int(distance.argmin())
            if best is None or distance[at] < best[0]:
                place = Place(recording, stream, int(rows.start_ns[at]), int(rows.end_ns[at]))
                best = int(distance[at]), place, rows.vectors[at].copy()
    if best is None:
        raise InputError(f"there is no stream {stream!r} in {recording[0]}")
    return best[1], best[2]


def search(
    files: Sequence[RecordFile],
    query: NDArray[np.float64],
    top: int,
    *,
    streams: Sequence[str] = (),
    without: Sequence[Place] = (),
) -> list[Moment]:
    """The moments nearest to a query, best first.

    Args:
        files: records of one space.
        query: float64 (dim,), norm 1.
        top: how many at most.
        streams: search these only; all if there are none.
        without: windows of the query's own: the moments that hold them are no results.

    Raises:
        InputError: a file cannot be read, or its vectors have another dimension.
    """
    scored = _scored(files, query)
    begins = {key: min(s.begin_ns for s in own.values()) for key, own in scored.items()}
    found: list[Moment] = []
    for recording, own in scored.items():
        for name, timeline in own.items():
            if streams and name not in streams:
                continue
            barred = [p for p in without if (p.recording, p.stream) == (recording, name)]
            begin_ns = begins[recording]
            found += timeline.moments(name, recording[0], begin_ns, top, barred)
    return sorted(found, key=lambda m: (-m.score, m.start_ns, m.stream))[:top]


class _Timeline:
    """Spans and scores of one stream's windows."""

    def __init__(self, modality: str) -> None:
        self.modality = modality
        self._parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []

    @property
    def begin_ns(self) -> int:
        return min(int(start_ns.min()) for start_ns, _, _ in self._parts)

    def add(
        self,
        start_ns: NDArray[np.int64],
        end_ns: NDArray[np.int64],
        scores: NDArray[np.float64],
    ) -> None:
        self._parts.append((start_ns, end_ns, scores))

    def moments(
        self, stream: str, recording: str, begin_ns: int, top: int, barred: Sequence[Place]
    ) -> list[Moment]:
        start_ns, end_ns, scores = (np.concatenate(p) for p in zip(*self._parts, strict=True))
        peaks = find_peaks(start_ns, end_ns, scores, top + len(barred))
        return [
            Moment(
                score=peak.score,
                stream=stream,
                modality=self.modality,
                start_ns=peak.start_ns,
                end_ns=peak.end_ns,
                best_ns=(peak.best_start_ns + peak.best_end_ns) // 2,
                begin_ns=begin_ns,
                recording=recording,
            )
            for peak in peaks
            if not any(p.start_ns <= peak.end_ns and peak.start_ns <= p.end_ns for p in barred)
        ]


def _scored(
    files: Sequence[RecordFile], query: NDArray[np.float64]
) -> dict[Recording, dict[str, _Timeline]]:
    scored: dict[Recording, dict[str, _Timeline]] = {}
    for file in files:
        if file.metadata.dim != len(query):
            raise InputError(
                f"{file.path} has vectors of {file.metadata.dim} numbers, the query has "
                f"{len(query)}; encode both with one bundle"
            )
        own = scored.setdefault(recording_of(file), {})
        for rows in stream_rows(file):
            timeline = own.setdefault(rows.stream, _Timeline(rows.modality))
            timeline.add(rows.start_ns, rows.end_ns, _cosines(rows.vectors, query))
    return scored


def _cosines(vectors: NDArray[np.float32], query: NDArray[np.float64]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    cosines: NDArray[np.float64] = np.einsum("ij,j->i", wide, query) / norms
    return cosines


def _unit(vector: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    wide = np.asarray(vector, dtype=np.float64)
    unit: NDArray[np.float64] = wide / np.linalg.norm(wide)
    return unit
