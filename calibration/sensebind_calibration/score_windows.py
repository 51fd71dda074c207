# SPDX-License-Identifier: Apache-2.0
"""Windows whose class is known, from records of runs.

A file of records is of one class as a whole ("alarm=alarm.parquet"; "unknown=room.parquet" is what
is of no class), or a table of spans tells the class of its windows. Of windows that overlap or
follow each other closely one is taken: they say the same twice.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.errors import InputError
from sensebind.grid import NS_PER_S, nanoseconds
from sensebind.records import UNKNOWN
from sensebind.sinks.columns import stream_rows
from sensebind.sinks.reading import open_records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from sensebind.sinks.reading import RecordFile

    Times = NDArray[np.int64]

BACKGROUND = -1
"""Class of windows that are of no class."""
_LEAST_SHARE = 0.5


class RecordsOf(NamedTuple):
    """A file of records; `label` is the class of all its windows, "" if a table tells it."""

    path: Path
    label: str


class TruthSpan(NamedTuple):
    """A stretch of a recording and its class; of `stream`, or of all if ""."""

    begin_ns: int
    end_ns: int
    label: str
    stream: str


class Windows(NamedTuple):
    """Windows of known classes.

    Attributes:
        vectors: float32 (n, dim).
        classes: int64 (n,), places in the labels, or BACKGROUND.
        stream: they are of, "" if of several.
        space_id, encoder_id: that made them.
        span_s: time they cover.
        overlapping: windows that were left out because they overlap others.
        unlabelled: windows that were left out because nothing tells their class.
    """

    vectors: NDArray[np.float32]
    classes: Times
    stream: str
    space_id: str
    encoder_id: str
    span_s: float
    overlapping: int
    unlabelled: int


class _Rows(NamedTuple):
    stream: str
    modality: str
    start_ns: Times
    end_ns: Times
    vectors: NDArray[np.float32]


def records_of(text: str, labels: Sequence[str]) -> RecordsOf:
    """Read "[CLASS=]FILE"."""
    label, equals, rest = text.partition("=")
    if equals and (label in labels or label == UNKNOWN or not Path(text).exists()):
        return RecordsOf(Path(rest), label)
    return RecordsOf(Path(text), "")


def read_windows(
    files: Sequence[RecordsOf],
    labels: Sequence[str],
    *,
    truth: Path | None = None,
    stream: str | None = None,
    apart_s: float = 1.0,
) -> Windows:
    """Read windows and their classes.

    Args:
        files: of records, at least one.
        labels: the classes.
        truth: a table of spans, for the files without a class.
        stream: to take; all there are if None, which have to be of one sense.
        apart_s: least time between the beginnings of two windows.

    Raises:
        InputError: if a file is none, classes are not known, or spaces or senses differ.
    """
    if UNKNOWN in labels:
        raise InputError(
            f"a class is called {UNKNOWN!r}, which stands for what is of no class; rename it"
        )
    opened = [open_records(each.path) for each in files]
    rows = [[r for r in _rows(file) if stream in (None, r.stream)] for file in opened]
    _check_alike(opened, rows, stream)
    parts: list[tuple[NDArray[np.float32], Times]] = []
    overlapping = unlabelled = span_ns = 0
    for each, own in zip(files, rows, strict=True):
        spans = _spans(each, truth, own)
        for row in own:
            classes = _classes(row, spans, labels, each.path)
            known = np.flatnonzero(classes != _UNLABELLED)
            unlabelled += len(classes) - len(known)
            taken = _apart(row, known, nanoseconds(apart_s))
            overlapping += len(known) - len(taken)
            parts.append((row.vectors[taken], classes[taken]))
            span_ns += int(row.end_ns.max() - row.start_ns.min())
    names = {row.stream for own in rows for row in own}
    modality = next(row.modality for own in rows for row in own)
    metadata = opened[0].metadata
    return Windows(
        np.concatenate([vectors for vectors, _ in parts]),
        np.concatenate([classes for _, classes in parts]),
        names.pop() if len(names) == 1 else "",
        metadata.space_id,
        metadata.encoder_ids[modality],
        span_ns / NS_PER_S,
        overlapping,
        unlabelled,
    )


def read_truth(path: Path, begin_ns: int) -> list[TruthSpan]:
    """Spans of a CSV table with the columns start_s, end_s (after the begin) and label.

    In place of them start_ns and end_ns may be stamps; a column stream tells whose spans they are.

    Raises:
        InputError: naming the line and what was expected.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            names = set(table.fieldnames or ())
            unit = "s" if {"start_s", "end_s"} <= names else "ns"
            if not {"label", f"start_{unit}", f"end_{unit}"} <= names:
                raise InputError(
                    f"{path} has the columns {', '.join(table.fieldnames or ()) or 'none'}; "
                    "expected start_s, end_s, label (seconds after the recording's begin), or "
                    "start_ns, end_ns, label, and possibly stream"
                )
            return [_span(row, unit, begin_ns, f"{path}, line {table.line_num}") for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {error}; expected a CSV table") from None


_UNLABELLED = -2


def _span(row: dict[str, str], unit: str, begin_ns: int, where: str) -> TruthSpan:
    begin, end = row[f"start_{unit}"] or "", row[f"end_{unit}"] or ""
    try:
        if unit == "s":
            first_ns, last_ns = (begin_ns + nanoseconds(float(text)) for text in (begin, end))
        else:
            first_ns, last_ns = int(begin), int(end)
    except (ValueError, OverflowError):
        first_ns = last_ns = 0
    if not first_ns < last_ns:
        raise InputError(
            f"{where}: from {begin!r} to {end!r} is no span; expected two rising times"
        )
    return TruthSpan(
        first_ns, last_ns, (row["label"] or "").strip() or UNKNOWN, row.get("stream") or ""
    )


def _rows(file: RecordFile) -> Iterator[_Rows]:
    """The records of a file by stream, each at once."""
    found: dict[str, list[_Rows]] = {}
    for part in stream_rows(file):
        rows = _Rows(part.stream, part.modality, part.start_ns, part.end_ns, part.vectors)
        found.setdefault(part.stream, []).append(rows)
    for name, parts in found.items():
        columns = (np.concatenate(column) for column in list(zip(*parts, strict=True))[2:])
        yield _Rows(name, parts[0].modality, *columns)


def _check_alike(
    files: Sequence[RecordFile], rows: Sequence[Sequence[_Rows]], stream: str | None
) -> None:
    for file, own in zip(files, rows, strict=True):
        if not own:
            wanted = "" if stream is None else f" of the stream {stream!r}"
            raise InputError(f"{file.path} has no records{wanted}; name another by --stream")
    senses = {row.modality: row.stream for own in rows for row in own}
    if len(senses) > 1:
        listed = ", ".join(f"{name!r} ({sense})" for sense, name in senses.items())
        raise InputError(
            f"the records are of several senses: {listed}; each has scores of its own: choose one "
            "by --stream"
        )
    (sense,) = senses
    for what in ("space_id", "encoder_ids"):
        ids = {str(file.path): getattr(file.metadata, what) for file in files}
        values = {v if isinstance(v, str) else v[sense] for v in ids.values()}
        if len(values) > 1:
            raise InputError(
                f"the files were encoded by different encoders ({what} differ): {', '.join(ids)}; "
                "encode all with one bundle"
            )


def _spans(file: RecordsOf, truth: Path | None, rows: Sequence[_Rows]) -> list[TruthSpan]:
    if file.label:
        return [TruthSpan(-(2**62), 2**62, file.label, "")]
    if truth is None:
        raise InputError(
            f"nothing tells the class of the windows of {file.path}: name it (CLASS={file.path}; "
            f"{UNKNOWN}={file.path} for what is of no class), or give --truth TABLE.csv. Without "
            "labels every temperature fits as well as any other"
        )
    return read_truth(truth, min(int(row.start_ns.min()) for row in rows))


def _classes(row: _Rows, spans: Sequence[TruthSpan], labels: Sequence[str], path: Path) -> Times:
    """Class of each window: of the span that covers half of it, if no other class touches it."""
    places = {label: place for place, label in enumerate(labels)} | {UNKNOWN: BACKGROUND}
    classes = np.full(len(row.start_ns), _UNLABELLED, np.int64)
    touched_by, mixed = classes.copy(), np.zeros(len(classes), np.bool_)
    for span in spans:
        if span.label not in places:
            raise InputError(
                f"{path}: the truth has the class {span.label!r}, the prompts have "
                f"{', '.join(labels)}; what is of none of them is called {UNKNOWN!r}"
            )
        if span.stream and span.stream != row.stream:
            continue
        lengths = np.maximum(row.end_ns - row.start_ns, 1)
        common = np.minimum(row.end_ns, span.end_ns) - np.maximum(row.start_ns, span.begin_ns)
        common = np.maximum(common, (row.start_ns == row.end_ns) & (common == 0))
        place = places[span.label]
        mixed |= (common > 0) & (touched_by != _UNLABELLED) & (touched_by != place)
        touched_by[common > 0] = place
        classes[common >= _LEAST_SHARE * lengths] = place
    classes[mixed] = _UNLABELLED
    return classes


def _apart(row: _Rows, known: Times, apart_ns: int) -> Times:
    """Of the windows that are known, those that do not overlap and are apart."""
    taken: list[int] = []
    free_ns = -(2**62)
    for place in known[np.argsort(row.start_ns[known], kind="stable")]:
        if row.start_ns[place] >= free_ns:
            taken.append(int(place))
            free_ns = max(int(row.end_ns[place]), int(row.start_ns[place]) + apart_ns)
    return np.array(taken, np.int64)
