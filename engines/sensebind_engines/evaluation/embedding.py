# SPDX-License-Identifier: Apache-2.0
"""All windows and texts of a data set as vectors of one bundle, and which belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sensebind.errors import InputError
from sensebind.grid import nanoseconds
from sensebind_engines.data.items import Item, item_key, items_of
from sensebind_engines.data.library import Library
from sensebind_engines.data.store import Store, digest
from sensebind_engines.data.vectors import Vectors
from sensebind_engines.evaluation.metrics import as_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind import Bundle
    from sensebind.specs import EncoderSpec
    from sensebind.types import Modality
    from sensebind_engines.data.config import Windows
    from sensebind_engines.data.library import Stock
    from sensebind_engines.data.manifest import Entry

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_BATCH = 32


@dataclass(frozen=True)
class Embedded:
    """Vectors and items.

    Attributes:
        modalities: those the data and the bundle both have.
        vectors: by modality, float64 (n, dim), each window or text once.
        owners: by modality, int64 (n,), the item each vector was first met in.
        items: what belongs together.
        places: int64 (items, modalities), row of `vectors`; -1 where an item lacks the modality.
        block_ns: moments of a recording this close are one thing (the longest window).
        sha256: of everything that decides the features.
    """

    modalities: tuple[Modality, ...]
    vectors: dict[Modality, Floats]
    owners: dict[Modality, Ints]
    items: list[Item]
    places: Ints
    block_ns: int
    sha256: str

    def together(self, *modalities: Modality) -> tuple[list[Item], list[Floats]]:
        """Items that have all of some modalities, each combination of vectors once.

        Returns:
            the items and, by modality, their vectors (items, dim).
        """
        columns = [self.modalities.index(modality) for modality in modalities]
        places = self.places[:, columns]
        rows = np.flatnonzero((places >= 0).all(axis=1))
        _, first = np.unique(places[rows], axis=0, return_index=True)
        rows = rows[np.sort(first)]
        found = [
            self.vectors[m][self.places[rows, c]] for m, c in zip(modalities, columns, strict=True)
        ]
        return [self.items[row] for row in rows], found

    def keys(self, items: Sequence[Item], modalities: Collection[Modality]) -> Ints:
        """Numbers of what the items are; see `item_key`."""
        return as_numbers([item_key(item, modalities, self.block_ns) for item in items])


def clusters(items: Sequence[Item]) -> Ints:
    """Numbers of the groups that intervals draw; see `Row.group`."""
    return as_numbers([_group(item.entry) for item in items])


def embed_entries(
    bundle: Bundle,
    entries: Sequence[Entry],
    *,
    windows: Windows = "each",
    hop_s: float | None = None,
    cache: Path | None = None,
    advance: Callable[[float], None] = lambda _share: None,
) -> Embedded:
    """Embed what rows name, of every modality the bundle has.

    Args:
        bundle: the encoders.
        entries: the rows.
        windows: "each" window, or "one" per row, the middle one.
        hop_s: time between windows; the encoders' if None.
        cache: folder for windows and features; None for memory.
        advance: told the share done.

    Raises:
        InputError: naming manifest, row and file of what cannot be used, or if the rows hold
            nothing the bundle can encode.
    """
    manifest = bundle.manifest
    specs: dict[Modality, EncoderSpec] = {
        modality: spec for modality, spec in manifest.encoders.items() if spec.window
    }
    embedder = _Embedder(bundle, Library(specs, Store(cache), hop_s))
    items: list[Item] = []
    for number, entry in enumerate(entries, start=1):
        items += embedder.add(entry, windows)
        advance(number / len(entries))
    found = tuple(m for m in manifest.encoders if embedder.vectors.get(m))
    if not found:
        have = ", ".join(m.value for m in manifest.encoders)
        raise InputError(f"the rows hold nothing that the bundle encodes ({have})")
    lengths_s = [spec.window.length_s for spec in specs.values() if spec.window]
    return Embedded(
        modalities=found,
        vectors={m: np.stack(embedder.vectors[m]).astype(np.float64) for m in found},
        owners={m: np.array(embedder.owners[m], np.int64) for m in found},
        items=items,
        places=np.array([[row.get(m, -1) for m in found] for row in embedder.rows], np.int64),
        block_ns=nanoseconds(max(lengths_s, default=1.0)),
        sha256=digest(embedder.content),
    )


class _Embedder:
    """Embeds every window and text once."""

    def __init__(self, bundle: Bundle, library: Library) -> None:
        self.vectors: dict[Modality, list[NDArray[np.float32]]] = {}
        self.owners: dict[Modality, list[int]] = {}
        self.rows: list[dict[Modality, int]] = []
        self.content: list[object] = []
        self._items: list[Item] = []
        self._bundle = bundle
        self._library = library
        self._files = Vectors()
        self._known: dict[Hashable, int] = {}

    def add(self, entry: Entry, windows: Windows) -> list[Item]:
        """Embed a row; returns its items."""
        plans = self._library.plans(entry)
        self.content.append([[plan.key for plan in plans.values()], msgspec.to_builtins(entry.row)])
        stocks = {m: self._library.stock_of(entry, plan) for m, plan in plans.items()}
        timeless = [m for m in entry.timeless() if m in self._bundle.modalities]
        items = items_of(entry, stocks, timeless)
        if windows == "one" and items:
            fullest = max(len(item.places) for item in items)
            full = [item for item in items if len(item.places) == fullest]
            items = [full[len(full) // 2]]
        self._embed_windows(entry, stocks, items)
        for item in items:
            row = {m: self._known[_identity(m, stock, item)] for m, stock in stocks.items()
                   if m in item.places}  # fmt: skip
            row |= {modality: self._fixed(entry, modality) for modality in timeless}
            for modality, place in row.items():
                self._prefer_labelled(entry, modality, place)
            self.rows.append(row)
            self._items.append(item)
        return items

    def _prefer_labelled(self, entry: Entry, modality: Modality, place: int) -> None:
        """Let a row with labels own a window that a row without them named before."""
        owners = self.owners[modality]
        first = self._items[owners[place]] if owners[place] < len(self._items) else None
        if first and entry.row.labels(modality) and not first.entry.row.labels(modality):
            owners[place] = len(self.rows)

    def _embed_windows(
        self, entry: Entry, stocks: dict[Modality, Stock], items: list[Item]
    ) -> None:
        for modality, stock in stocks.items():
            wanted: dict[Hashable, tuple[int, int]] = {}
            for number, item in enumerate(items, start=len(self.rows)):
                if modality in item.places:
                    identity = _identity(modality, stock, item)
                    if identity not in self._known:
                        wanted.setdefault(identity, (item.places[modality], number))
            new = list(wanted.items())
            for start in range(0, len(new), _BATCH):
                self._embed_batch(entry, stock, new[start : start + _BATCH])

    def _embed_batch(
        self, entry: Entry, stock: Stock, batch: list[tuple[Hashable, tuple[int, int]]]
    ) -> None:
        modality = stock.config.modality
        try:
            features = [self._library.features(stock, place) for _, (place, _) in batch]
        except InputError as error:
            raise entry.error(f"{modality}: {error}") from None
        vectors = self._bundle.encoder(modality).encode(features)
        for (identity, (_, number)), vector in zip(batch, vectors, strict=True):
            self._keep(modality, identity, vector, number)

    def _fixed(self, entry: Entry, modality: Modality) -> int:
        """Place of the vector of a text, or of one the row gives."""
        given = entry.vector(modality)
        identity: Hashable = (
            modality,
            given and (given.vector, given.index),
            entry.row.texts()[:1],
        )
        if identity not in self._known:
            try:
                vector = (
                    self._bundle.encode_text([entry.row.texts()[0]])[0]
                    if given is None
                    else self._files.row(entry.path(given.vector), given.index)
                )
            except InputError as error:
                raise entry.error(f"{modality}: {error}") from None
            if len(vector) != self._bundle.dim:
                raise entry.error(
                    f"{modality}: its vector has {len(vector)} values, expected {self._bundle.dim}"
                )
            self._keep(modality, identity, vector, len(self.rows))
        return self._known[identity]

    def _keep(
        self, modality: Modality, identity: Hashable, vector: NDArray[np.float32], number: int
    ) -> None:
        rows = self.vectors.setdefault(modality, [])
        self._known[identity] = len(rows)
        self.owners.setdefault(modality, []).append(number)
        rows.append(vector)


def _identity(modality: Modality, stock: Stock, item: Item) -> Hashable:
    """What makes a window's vector; rows that name one window share it."""
    return (modality, digest(stock.key), item.places[modality])


def _group(entry: Entry) -> Hashable:
    row = entry.row
    if row.group is not None:
        return ("group", row.group)
    return ("recording", row.recording) if row.recording else ("row", entry.number)
