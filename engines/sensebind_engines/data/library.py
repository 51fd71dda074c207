# SPDX-License-Identifier: Apache-2.0
"""The windows and features behind a manifest's rows, cut and computed when first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sensebind.config import StreamConfig
from sensebind.errors import InputError
from sensebind.preprocess import make_preprocessor
from sensebind.sources import open_source
from sensebind.specs import identity
from sensebind.storage import sha256_of_file
from sensebind_engines.data.cutting import TIMED, cut_file, cut_stream, map_recording
from sensebind_engines.data.manifest import SENSES, FileRef, StreamRef
from sensebind_engines.data.records import Record, window_of, window_record
from sensebind_engines.data.store import digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.preprocess.base import Preprocessor
    from sensebind.specs import EncoderSpec
    from sensebind.types import Features, Modality, Window
    from sensebind_engines.data.manifest import Entry
    from sensebind_engines.data.records import Records
    from sensebind_engines.data.store import Store

_ERROR = "error"
_SPAN = ("grid_ns", "start_ns", "end_ns")


class Stock:
    """The windows of one file, or of one stream of a recording, for one encoder.

    Attributes:
        spec: the encoder.
        config: how the stream is read.
        key: what its windows depend on, in types JSON has.
        is_still: it is a picture without time.
    """

    def __init__(
        self, spec: EncoderSpec, config: StreamConfig, key: list[object], windows: Records
    ) -> None:
        self.spec = spec
        self.config = config
        self.key = key
        self._windows = windows
        self.is_still = key[0] == "file" and config.modality not in TIMED

    @property
    def spans_ns(self) -> NDArray[np.int64]:
        """Instant, start and end of each window, int64 (n, 3), rising."""
        return np.stack([self._windows.column(name) for name in _SPAN], axis=1)

    def __len__(self) -> int:
        return len(self._windows)

    def window(self, place: int) -> Window:
        """One window as it was cut."""
        return window_of(self._windows[place])

    def prepared(self) -> Iterator[Record]:
        """Features of every window in order, as a pipeline makes them, or why there are none."""
        preprocessor = make_preprocessor(self.spec, self.config)
        for place in range(len(self)):
            yield _prepared(preprocessor, self.window(place))


@dataclass(frozen=True)
class Plan:
    """Where a modality of a row is found, and for what.

    Attributes:
        path: file or recording.
        stream: stream of the recording; None for a file.
        config: how it is read.
        spec: the encoder its windows are for.
    """

    path: Path
    stream: str | None
    config: StreamConfig
    spec: EncoderSpec

    @property
    def name(self) -> str:
        """What a message calls it."""
        return str(self.path) if self.stream is None else f"{self.path}, stream {self.stream!r}"

    @cached_property
    def key(self) -> list[object]:
        """What its windows and features depend on, in types JSON has.

        Raises:
            InputError: if the file cannot be read.
        """
        return [
            "file" if self.stream is None else "stream",
            content_sha256(self.path),
            self.stream,
            msgspec.to_builtins(identity(self.config)),
            None if self.spec.window is None else msgspec.to_builtins(identity(self.spec.window)),
            msgspec.to_builtins(identity(self.spec.preprocess)),
        ]

    def windows(self) -> Iterator[Record]:
        """Cut its windows.

        Raises:
            InputError, SourceError: naming the file and what is wrong with it.
        """
        if self.stream is None:
            return map(window_record, cut_file(self.path, self.config, self.spec))
        return map(window_record, cut_stream(self.path, self.stream, self.config, self.spec))


class Library:
    """Stocks by row and modality.

    Args:
        encoders: what the windows and features are made for.
        store: keeps them.
        hop_s: time between windows where a row does not say; the encoders' if None.
    """

    def __init__(
        self,
        encoders: Mapping[Modality, EncoderSpec],
        store: Store,
        hop_s: float | None = None,
    ) -> None:
        self._encoders: dict[Modality, EncoderSpec] = {
            m: encoders[m] for m in SENSES if m in encoders
        }
        self._store = store
        self._hop_s = hop_s
        self._plans: dict[tuple[Path, int], dict[Modality, Plan]] = {}
        self._mappings: dict[str, dict[Modality, tuple[str, StreamConfig]]] = {}

    def plans(self, entry: Entry) -> dict[Modality, Plan]:
        """What a row has of each modality that there is an encoder for.

        Raises:
            InputError: naming the row and what it names that is not there.
        """
        place = (entry.manifest, entry.number)
        if place not in self._plans:
            self._plans[place] = self._planned(entry)
        return self._plans[place]

    def _planned(self, entry: Entry) -> dict[Modality, Plan]:
        named: dict[Modality, tuple[str | None, StreamConfig]] = {}
        for modality in self._encoders:
            ref, config = entry.source(modality) or (None, StreamConfig(modality=modality))
            if config.hop_s is None and self._hop_s is not None:
                config = msgspec.structs.replace(config, hop_s=self._hop_s)
            if isinstance(ref, FileRef | StreamRef):
                named[modality] = (ref.file if isinstance(ref, FileRef) else ref.stream, config)
            elif ref is None and entry.row.recording is not None:
                named[modality] = (None, config)
        if entry.row.recording is not None:
            return self._of_recording(entry, entry.path(entry.row.recording), named)
        return {
            modality: Plan(_existing(entry, name), None, config, self._encoders[modality])
            for modality, (name, config) in named.items()
            if name is not None
        }

    def stock(self, plan: Plan) -> Stock:
        """The windows of a plan, cut if they are not kept.

        Raises:
            InputError, SourceError: naming the file and what is wrong with it.
        """
        key = plan.key
        windows = self._store.get(["windows", *key], plan.windows)
        return Stock(plan.spec, plan.config, key, windows)

    def stock_of(self, entry: Entry, plan: Plan) -> Stock:
        """The windows of a plan of a row; an error names the row too."""
        try:
            return self.stock(plan)
        except (InputError, OSError) as error:
            raise entry.error(f"{plan.config.modality}: {error}") from None

    def features(self, stock: Stock, place: int) -> Features:
        """What the runtime makes of one window.

        Raises:
            InputError: if it cannot be used.
        """
        if not self._store.is_lasting:
            preprocessor = make_preprocessor(stock.spec, stock.config)
            return preprocessor.prepare(stock.window(place)).features
        record = self._store.get(["features", *stock.key], stock.prepared)[place]
        if _ERROR in record.scalars:
            raise InputError(record.scalars[_ERROR])
        return record.arrays

    def _of_recording(
        self, entry: Entry, path: Path, named: dict[Modality, tuple[str | None, StreamConfig]]
    ) -> dict[Modality, Plan]:
        """Streams of a row's recording; those not named are found by type and name."""
        key = digest([str(path), [[n, msgspec.to_builtins(c)] for n, c in named.values()]])
        if key not in self._mappings:
            try:
                self._mappings[key] = map_recording(path, named) if named else {}
            except InputError as error:
                raise entry.error(error) from None
        return {
            modality: Plan(path, stream, config, self._encoders[modality])
            for modality, (stream, config) in self._mappings[key].items()
        }


def _existing(entry: Entry, name: str) -> Path:
    path = entry.path(name)
    if not path.is_file():
        raise entry.error(f"there is no file {path}; names are relative to the manifest")
    return path


def _prepared(preprocessor: Preprocessor, window: Window) -> Record:
    try:
        return Record({}, preprocessor.prepare(window).features)
    except InputError as error:  # told where the window is asked for
        return Record({_ERROR: str(error)}, {})


def content_sha256(path: Path) -> str:
    """SHA-256 of a file or folder of recordings; a file that did not change is read once.

    Raises:
        InputError: if it cannot be read or is empty.
    """
    try:
        if path.is_dir():
            return open_source(path).sha256()
        state = path.stat()
        if state.st_size == 0:
            raise InputError(f"{path} is empty (0 bytes); copy it again")
        return _hash(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None


@lru_cache(maxsize=1 << 16)
def _hash(path: Path, size: int, mtime_ns: int) -> str:
    del size, mtime_ns  # they are part of the question
    return sha256_of_file(path)
