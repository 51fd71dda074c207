# SPDX-License-Identifier: Apache-2.0
"""Manifests: one row per thing or stretch of a recording, as JSON lines or Parquet.

A row names files relative to the manifest, or a recording and its streams:

    {"vision": "a.jpg", "audio": "a.wav", "text": ["a dog barks"], "label": "dog", "split": "train"}
    {"recording": "a.mcap", "imu": "/imu/data", "start_ns": 0, "end_ns": 500000000, "label": "spin"}

Where a modality needs more than a name it is a table: `file` or `stream` (or `vector` and `index`,
a row of an .npy file of unit embeddings), and any setting of a stream: `scale`, `focal_px`, `unit`,
`rotation`, `hop_s`, … (`sensebind.config.StreamConfig`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from sensebind.config import StreamConfig
from sensebind.errors import InputError
from sensebind.json_text import NOT_JSON
from sensebind.specs import Strict
from sensebind.types import Modality

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

SENSES: tuple[Modality, ...] = tuple(m for m in Modality if m is not Modality.TEXT)
"""Modalities that a row can name a file or stream of."""

_Name = Annotated[str, Meta(min_length=1)]
_Texts = _Name | Annotated[tuple[_Name, ...], Meta(min_length=1)]
_Source = _Name | dict[str, Any]


class Row(Strict, frozen=True):
    """One line of a manifest.

    Attributes:
        recording: what `sensebind.open_source` can open; the senses then name its streams.
        grid_ns: the one instant of the recording that is meant.
        start_ns: windows lie in [start_ns, end_ns) of the recording or, in the time of a file's
            first sample, of the files; the whole of it if neither is given.
        end_ns: see `start_ns`.
        vision, audio, depth, thermal, imu: file, stream, or table as told above. In a row with a
            recording a sense that is left out is found by the stream's type and name.
        text: what describes it, in one or several wordings; or `{"vector": …, "index": …}`.
        label: class or classes of every modality, or of each by name.
        key: rows of equal keys are one thing: not each other's negatives, nor rivals when one is
            searched for. If not given, rows of equal texts are where texts are used; else a row
            of files is, and of a recording what lies within one window's length.
        group: rows of equal groups are not independent: one subject, one original recording.
            Intervals draw whole groups; the recording, or the row, if not given.
        split: name of the part of the data set it belongs to.
    """

    recording: _Name | None = None
    grid_ns: int | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    vision: _Source | None = None
    audio: _Source | None = None
    depth: _Source | None = None
    thermal: _Source | None = None
    imu: _Source | None = None
    text: _Texts | dict[str, Any] | None = None
    label: _Texts | dict[Modality, _Texts] | None = None
    key: _Name | int | None = None
    group: _Name | int | None = None
    split: _Name | None = None

    def __post_init__(self) -> None:
        """Reject what fields promise each other."""
        ranged = self.start_ns is not None or self.end_ns is not None
        if self.grid_ns is not None and (ranged or self.recording is None):
            raise InputError("grid_ns belongs to a recording and excludes start_ns and end_ns")
        if self.start_ns is not None and self.end_ns is not None and self.start_ns >= self.end_ns:
            raise InputError(f"start_ns {self.start_ns} is not before end_ns {self.end_ns}")
        if self.recording is None and self.text is None and not self.senses():
            raise InputError(f"it names nothing; expected one of {', '.join(Modality)}")

    def senses(self) -> dict[Modality, str | dict[str, Any]]:
        """What it says of each sense it names."""
        found = {m: getattr(self, m.value) for m in SENSES}
        return {modality: value for modality, value in found.items() if value is not None}

    def labels(self, modality: Modality) -> tuple[str, ...]:
        """Classes of a modality; none if it is not labelled."""
        label = self.label
        if isinstance(label, dict):
            label = label.get(modality)
        return () if label is None else _as_tuple(label)

    def texts(self) -> tuple[str, ...]:
        """Its wordings; none if it has no text, or a vector in its place."""
        return () if self.text is None or isinstance(self.text, dict) else _as_tuple(self.text)


class FileRef(Strict, frozen=True):
    """A file of one modality."""

    file: _Name


class StreamRef(Strict, frozen=True):
    """A stream of the row's recording."""

    stream: _Name


class VectorRef(Strict, frozen=True):
    """A row of an .npy file, float32 (n, dim), unit embeddings of a frozen tower."""

    vector: _Name
    index: Annotated[int, Meta(ge=0)]


Ref = FileRef | StreamRef | VectorRef
_KIND_OF_NAME: dict[str, type[Ref]] = {"file": FileRef, "stream": StreamRef, "vector": VectorRef}


@dataclass(frozen=True)
class Entry:
    """A row in its place.

    Attributes:
        manifest: the file it is from.
        number: its line, from 1 (JSON lines), or its place, from 1 (Parquet).
        row: what it says.
    """

    manifest: Path
    number: int
    row: Row

    @property
    def where(self) -> str:
        """Manifest and row, as every message begins."""
        return f"{self.manifest}, row {self.number}"

    def path(self, name: str) -> Path:
        """A file that the row names."""
        return self.manifest.parent / name

    def names(self, modalities: Collection[Modality]) -> list[str]:
        """The row's recording, or the files it names for some modalities."""
        if self.row.recording is not None:
            return [self.row.recording]
        refs = [source[0] for m in modalities if (source := self.source(m)) is not None]
        return [ref.file for ref in refs if isinstance(ref, FileRef)]

    def error(self, problem: object) -> InputError:
        """A problem of this row."""
        return InputError(f"{self.where}: {problem}")

    def inside(self, spans_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which windows lie in the row's range.

        Args:
            spans_ns: int64 (n, 3): instant, start and end of each.

        Returns:
            bool (n,).
        """
        row = self.row
        kept = np.ones(len(spans_ns), bool)
        if row.grid_ns is not None:
            kept &= spans_ns[:, 0] == row.grid_ns
        if row.start_ns is not None:
            kept &= spans_ns[:, 1] >= row.start_ns
        if row.end_ns is not None:
            kept &= spans_ns[:, 2] <= row.end_ns
        return kept

    def source(self, modality: Modality) -> tuple[Ref, StreamConfig] | None:
        """Where a modality is found and how it is read; None if the row does not say.

        Raises:
            InputError: naming the row and the setting that cannot be used.
        """
        value = self.row.text if modality is Modality.TEXT else getattr(self.row, modality.value)
        if isinstance(value, dict):
            return self._table(modality, value)
        if not isinstance(value, str) or modality is Modality.TEXT:
            return None
        config = StreamConfig(modality=modality)
        in_recording = self.row.recording is not None
        return (StreamRef(stream=value) if in_recording else FileRef(file=value)), config

    def vector(self, modality: Modality) -> VectorRef | None:
        """The embedding a row gives in place of a modality's content."""
        source = self.source(modality)
        return source[0] if source is not None and isinstance(source[0], VectorRef) else None

    def timeless(self) -> list[Modality]:
        """What a row has that no file or stream is read for: texts, and vectors."""
        texts = [Modality.TEXT] if self.row.texts() else []
        return texts + [modality for modality in Modality if self.vector(modality) is not None]

    def _table(self, modality: Modality, table: dict[str, Any]) -> tuple[Ref, StreamConfig]:
        place = "file" if self.row.recording is None else "stream"
        name = next((name for name in (place, "vector") if name in table), None)
        if name is None:
            raise self.error(
                f"{modality.value} is {table}, expected a table with {place!r} or 'vector'"
            )
        kind = _KIND_OF_NAME[name]
        own = {name: table[name] for name in kind.__struct_fields__ if name in table}
        rest = {name: value for name, value in table.items() if name not in own}
        try:
            config = msgspec.convert({**rest, "modality": modality.value}, StreamConfig)
            return msgspec.convert(own, kind), config
        except (msgspec.ValidationError, InputError) as error:
            raise self.error(f"{modality.value}: {error}") from None


def read_manifest(path: Path) -> list[Entry]:
    """Read every row of a manifest.

    Args:
        path: `.jsonl` (empty lines are passed over) or `.parquet`.

    Raises:
        InputError: naming the file and the row that cannot be used, and why.
    """
    readers = {".jsonl": _json_rows, ".parquet": _parquet_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path} is no manifest; expected a .jsonl or .parquet file of rows")
    entries = []
    for number, content in reader(path):
        try:
            row = msgspec.convert(content, Row)
        except (msgspec.ValidationError, InputError) as error:
            raise InputError(f"{path}, row {number}: {error}{_known(error)}") from None
        entries.append(Entry(path, number, row))
    if not entries:
        raise InputError(f"{path} has no rows; expected one per item")
    return entries


def _json_rows(path: Path) -> Iterator[tuple[int, object]]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"cannot read the manifest {path}: {error.strerror}") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield number, msgspec.json.decode(line)
        except NOT_JSON as error:
            raise InputError(f"{path}, row {number}: not a line of JSON: {error}") from None


def _parquet_rows(path: Path) -> Iterator[tuple[int, object]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot read the manifest {path}: {error}") from None
    for number, row in enumerate(rows, start=1):
        yield number, _without_nulls(row)


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 - what Parquet can hold
    """The value without the nulls that Parquet has where JSON leaves a key out."""
    if isinstance(value, dict):
        return {name: _without_nulls(v) for name, v in value.items() if v is not None}
    return value


def _as_tuple(texts: str | tuple[str, ...]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _known(error: Exception) -> str:
    if "unknown field" not in str(error):
        return ""
    return f"; the keys of a row are: {', '.join(Row.__struct_fields__)}"
