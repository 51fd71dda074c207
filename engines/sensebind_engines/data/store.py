# SPDX-License-Identifier: Apache-2.0
"""Where cut windows and computed features are kept: in a folder, or in memory up to a limit."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import RLock
from typing import TYPE_CHECKING

import msgspec

from sensebind_engines.data.records import HeldRecords, RecordFolder, write_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sensebind_engines.data.records import Record, Records

FORMAT = 1
"""Part of every key: a change of what is stored, or of how it is computed, is another format."""
MEMORY_BYTES = 1 << 30
"""What is kept in memory where no folder is given."""


class Store:
    """Records by the hash of what they are made from, made once; threads may share it.

    Args:
        folder: keeps them for later runs and other processes; None keeps them in memory, where
            the oldest are dropped, to be made again, beyond `memory_bytes`.
        memory_bytes: see `folder`.
    """

    def __init__(self, folder: Path | None = None, memory_bytes: int = MEMORY_BYTES) -> None:
        self._folder = folder
        self._limit = memory_bytes
        self._held: OrderedDict[str, tuple[Records, int]] = OrderedDict()
        self._bytes = 0
        self._lock = RLock()

    @property
    def is_lasting(self) -> bool:
        """Whether what is made is kept for good."""
        return self._folder is not None

    def get(self, key: object, make: Callable[[], Iterable[Record]]) -> Records:
        """The records of `key`, made if they are not there.

        Args:
            key: everything the records depend on, in types JSON has.
            make: makes them.

        Raises:
            SinkError: if the folder cannot be written.
        """
        with self._lock:
            return self._get(digest({"format": FORMAT, "key": key}), make)

    def _get(self, name: str, make: Callable[[], Iterable[Record]]) -> Records:
        if name in self._held:
            self._held.move_to_end(name)
            return self._held[name][0]
        if self._folder is None:
            made = HeldRecords(make())
            self._hold(name, made, made.nbytes)
            return made
        place = self._folder / name[:2] / name
        if not place.exists():
            write_records(place, make())
        found = RecordFolder(place)
        self._hold(name, found, 0)
        return found

    def _hold(self, name: str, records: Records, size: int) -> None:
        self._held[name] = (records, size)
        self._bytes += size
        while self._bytes > self._limit and len(self._held) > 1:
            _, (_, dropped) = self._held.popitem(last=False)
            self._bytes -= dropped


def digest(value: object) -> str:
    """64 hex digits of a value in types JSON has, whatever the order of its keys."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
