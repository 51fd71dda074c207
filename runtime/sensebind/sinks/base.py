# SPDX-License-Identifier: Apache-2.0
"""What a sink is: something that keeps records."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from sensebind.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensebind.records import Record, RunMetadata

SCALAR_COLUMNS = (
    "stream",
    "modality",
    "grid_ns",
    "start_ns",
    "end_ns",
    "stamp_ns",
    "coverage",
    "valid_fraction",
)
"""What every sink keeps of an embedding before its vector, in this order."""


class Sink(Protocol):
    """Keeps the records of one run. Nothing replaces an earlier file before `close` succeeds."""

    def write(self, record: Record) -> None:
        """Keep one record.

        Raises:
            SinkError: if it cannot be written, naming the file and the reason.
            InputError: if its vector, label or scores do not fit the run's metadata.
        """
        ...

    def close(self) -> None:
        """Finish: make what was written visible under its final name.

        Raises:
            SinkError: if it cannot be written, naming the file and the reason.
        """
        ...

    def abort(self) -> None:
        """Give up: leave an earlier file as it was and remove what was begun."""
        ...


class LiveSink(Sink, Protocol):
    """Keeps the records of a live run.

    Attributes:
        unwritten: records that were taken and are not safe, once it was aborted.
    """

    unwritten: tuple[Record, ...]


@contextmanager
def finishing(sink: Sink) -> Iterator[Sink]:
    """Close the sink if the block succeeds; abort it on any exception, Ctrl-C included."""
    try:
        yield sink
        sink.close()
    except BaseException:
        sink.abort()
        raise


def check_record(record: Record, metadata: RunMetadata) -> None:
    """Check that a record fits the columns its run's metadata promise.

    Raises:
        InputError: naming the stream, what was found and what was expected.
    """
    shape = record.embedding.vector.shape
    if shape != (metadata.dim,):
        raise InputError(
            f"the vector of stream {record.embedding.stream!r} has shape {shape}, expected "
            f"({metadata.dim},); write each bundle's embeddings to a file of its own"
        )
    classes = len(metadata.labels)
    found = 0 if record.scores is None else len(record.scores)
    if found != classes or (record.label is None) != (classes == 0):
        raise InputError(
            f"a record of stream {record.embedding.stream!r} has label {record.label!r} and "
            f"{found} scores, expected one per label of the metadata ({classes}); "
            "give every record of a run the same prompts, or none"
        )
    if (record.prompt_set or None) not in (metadata.prompt_sets or (None,)):
        known = ", ".join(map(repr, metadata.prompt_sets)) or "none"
        raise InputError(
            f"a record of stream {record.embedding.stream!r} is of the prompt set "
            f"{record.prompt_set!r}, which was not declared when the output was begun (declared: "
            f"{known}); give all sets to the labeller before"
        )
