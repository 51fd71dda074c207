# SPDX-License-Identifier: Apache-2.0
"""Windows and features on disk: one file of bytes and one index, written once, read in places.

No pickle. A folder appears whole, by a rename, or not at all; it is named by the hash of what its
content was made from, so it is never out of date.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from sensebind.errors import SinkError
from sensebind.storage import atomic_folder
from sensebind.types import Frame, Window

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

_BYTES, _INDEX = "records.bin", "index.json"
_ARRAYS = ("stamps_ns", "values")
_FRAME = "frame"


@dataclass(frozen=True)
class Record:
    """Named values and arrays of one window or of its features."""

    scalars: dict[str, Any]
    arrays: Arrays


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """Where an array lies in the file of bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int


class _Entry(msgspec.Struct, frozen=True):
    scalars: dict[str, Any]
    places: list[_Place]


class Records(ABC):
    """Records in order.

    Attributes:
        scalars: of every record.
    """

    def __init__(self, scalars: list[dict[str, Any]]) -> None:
        self.scalars = scalars
        self._columns: dict[str, NDArray[np.int64]] = {}

    def __len__(self) -> int:
        return len(self.scalars)

    @abstractmethod
    def __getitem__(self, index: int) -> Record: ...

    def column(self, name: str) -> NDArray[np.int64]:
        """One whole number of every record, int64 (n,)."""
        if name not in self._columns:
            self._columns[name] = np.array([values[name] for values in self.scalars], np.int64)
        return self._columns[name]


class HeldRecords(Records):
    """Records in memory."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = list(records)
        super().__init__([record.scalars for record in self._records])

    def __getitem__(self, index: int) -> Record:
        return self._records[index]

    @property
    def nbytes(self) -> int:
        """Size of all arrays."""
        return sum(array.nbytes for record in self._records for array in record.arrays.values())


class RecordFolder(Records):
    """The records of one folder, read one by one; may be shared by threads and processes."""

    def __init__(self, folder: Path) -> None:
        entries = msgspec.json.decode((folder / _INDEX).read_bytes(), type=list[_Entry])
        super().__init__([entry.scalars for entry in entries])
        self._places = [entry.places for entry in entries]
        self._path = folder / _BYTES

    def __getitem__(self, index: int) -> Record:
        with self._path.open("rb") as stream:
            arrays = {place.name: _read(stream.fileno(), place) for place in self._places[index]}
        return Record(self.scalars[index], arrays)


def write_records(folder: Path, records: Iterable[Record]) -> None:
    """Write records to a new folder; does nothing if another process has been faster.

    Raises:
        SinkError: naming the folder, if it cannot be written; nothing of it is left then.
    """
    try:
        with atomic_folder(folder) as draft:
            _write(draft, records)
    except OSError as error:
        if not folder.exists():
            raise SinkError(
                f"cannot write the cache {folder.parent}: {error.strerror}; "
                "free some space or choose another folder"
            ) from error


def window_record(window: Window) -> Record:
    """A window as a record."""
    scalars = {
        field.name: getattr(window, field.name)
        for field in fields(Window)
        if field.name not in (*_ARRAYS, "frames")
    }
    arrays: Arrays = {name: getattr(window, name) for name in _ARRAYS}
    pictures = []
    for number, frame in enumerate(window.frames):
        pictures.append({f.name: getattr(frame, f.name) for f in fields(Frame) if f.name != "data"})
        arrays[f"{_FRAME}{number}"] = np.frombuffer(frame.data, np.uint8)
    return Record({**scalars, "frames": pictures}, arrays)


def window_of(record: Record) -> Window:
    """The window that `window_record` made a record of."""
    values = dict(record.scalars)
    values["frames"] = tuple(
        Frame(data=record.arrays[f"{_FRAME}{number}"].tobytes(), **picture)
        for number, picture in enumerate(values["frames"])
    )
    values |= {name: record.arrays[name] for name in _ARRAYS}
    return Window(**values)


def _write(folder: Path, records: Iterable[Record]) -> None:
    entries = []
    with (folder / _BYTES).open("xb") as stream:
        for record in records:
            places = []
            for name, array in record.arrays.items():
                content = np.ascontiguousarray(array)
                places.append(_Place(name, content.dtype.str, content.shape, stream.tell()))
                stream.write(content.tobytes())
            entries.append(_Entry(record.scalars, places))
    (folder / _INDEX).write_bytes(msgspec.json.encode(entries))


def _read(descriptor: int, place: _Place) -> NDArray[Any]:
    dtype = np.dtype(place.dtype)
    size = dtype.itemsize * int(np.prod(place.shape, dtype=np.int64))
    content = os.pread(descriptor, size, place.offset)
    return np.frombuffer(content, dtype).reshape(place.shape)
