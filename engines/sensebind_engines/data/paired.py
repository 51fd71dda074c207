# SPDX-License-Identifier: Apache-2.0
"""A manifest as paired data: items of rows and recordings, in batches of features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sensebind.errors import BundleError, InputError
from sensebind.grid import nanoseconds
from sensebind.specs import TextSpec, identity
from sensebind.types import Modality
from sensebind_engines.data.base import Batch
from sensebind_engines.data.items import Item, item_key, items_of
from sensebind_engines.data.library import Library, content_sha256
from sensebind_engines.data.manifest import read_manifest
from sensebind_engines.data.rows import Rows
from sensebind_engines.data.store import Store, digest
from sensebind_engines.data.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.specs import EncoderSpec
    from sensebind_engines.data.config import DataConfig
    from sensebind_engines.data.manifest import Entry
    from sensebind_engines.data.rows import Tower

_SEEDS = 2**63


class ManifestData:
    """Items of a manifest that have all modalities asked for; see `PairedData`.

    Attributes:
        modalities: in the order of the encoders.
        left_out: number of rows of the split that lack one of them.
    """

    def __init__(
        self,
        config: DataConfig,
        encoders: Mapping[Modality, EncoderSpec],
        *,
        folder: Path,
        tokenizer: Path | None = None,
        towers: Mapping[Modality, Tower] | None = None,
    ) -> None:
        """Read the manifest, check that its files are there and, for "each" window, cut them.

        Args:
            config: which rows, and how.
            encoders: what the features are for; text included where it is wanted.
            folder: what names in `config` are relative to.
            tokenizer: the text encoder's tokenizer file; not needed where text has a tower.
            towers: frozen towers by modality; their embeddings stand for the features.

        Raises:
            InputError: naming manifest, row and file of what cannot be used.
            BundleError: if texts are to be tokenized and there is no tokenizer.
        """
        self.modalities = tuple(encoders)
        self._config = config
        towers = towers or {}
        texts = _texts(encoders, towers, tokenizer)
        store = Store(None if config.cache is None else folder / config.cache)
        self._library = Library(encoders, store, config.hop_s)
        self._rows = Rows(self._library, config, texts, towers)
        self._tokenizer = tokenizer if texts is not None else None
        lengths_s = [spec.window.length_s for spec in encoders.values() if spec.window]
        self._longest_ns = nanoseconds(max(lengths_s, default=1.0))
        self._entries, self.left_out = self._complete(folder / config.manifest)
        self._items_by_row: dict[int, list[Item]] = {}
        self._items: list[Item] = []
        if config.windows == "each":
            self._items = [item for entry in self._entries for item in self._items_of(entry)]
        self._keys: dict[Hashable, int] = {}

    @property
    def content_sha256(self) -> str:
        """64 hex digits of everything that decides the features without augmentation."""
        tokenizer = None if self._tokenizer is None else content_sha256(self._tokenizer)
        wanted = [[m.value for m in self.modalities], self._config.windows, tokenizer]
        rows = [[self._content(e), msgspec.to_builtins(identity(e.row))] for e in self._entries]
        return digest([wanted, rows])

    def __len__(self) -> int:
        return len(self._items) if self._config.windows == "each" else len(self._entries)

    def item(self, index: int, seed: int | None = None) -> Item:
        """One item; of a row's windows one that `seed` draws, or the middle one without it."""
        if self._config.windows == "each":
            return self._items[index]
        items = self._items_of(self._entries[index])
        if seed is None:
            return items[len(items) // 2]
        return items[int(np.random.default_rng(seed).integers(len(items)))]

    def describe(self, index: int) -> str:
        """Where an item is found, as in "row 3 (dog.jpg, dog.wav) at 2.500 s"."""
        each = self._config.windows == "each"
        entry = self._items[index].entry if each else self._entries[index]
        instant_ns = self._items[index].instant_ns if each else None
        names = ", ".join(entry.names(self.modalities))
        told = f"row {entry.number} ({names})" if names else f"row {entry.number}"
        return told if instant_ns is None else f"{told} at {instant_ns / 1e9:.3f} s"

    def batch(self, indices: NDArray[np.int64], rng: np.random.Generator | None) -> Batch:
        """Features of the items at `indices`; see `PairedData`.

        Each row draws from a seed of its own, so it does not depend on its neighbours but for the
        sound that is mixed in.
        """
        from torch import from_numpy

        count = len(indices)
        seeds = (
            [None] * count if rng is None else [int(s) for s in rng.integers(_SEEDS, size=count)]
        )
        items = [self.item(int(i), seed) for i, seed in zip(indices, seeds, strict=True)]
        rows = self._rows.contents(items, self.modalities, seeds)
        features = {}
        for modality in self.modalities:
            arrays = self._rows.stacked(modality, [row[modality] for row in rows])
            features[modality] = {name: from_numpy(array) for name, array in arrays.items()}
        keys = np.array([self._key(item) for item in items], np.int64)
        return Batch(features, from_numpy(keys))

    def _complete(self, manifest: Path) -> tuple[list[Entry], int]:
        """The rows of the split that have every modality, and how many have not."""
        split = self._config.split
        entries = [e for e in read_manifest(manifest) if split is None or e.row.split == split]
        complete = [e for e in entries if set(self.modalities) <= self._had_by(e)]
        if not complete:
            wanted = ", ".join(m.value for m in self.modalities)
            part = "" if split is None else f" of split {split!r}"
            raise InputError(f"{manifest}: none of its {len(entries)} rows{part} has {wanted}")
        return complete, len(entries) - len(complete)

    def _had_by(self, entry: Entry) -> set[Modality]:
        return {*self._library.plans(entry), *entry.timeless()}

    def _items_of(self, entry: Entry) -> list[Item]:
        """Instants of a row at which every modality has a window."""
        if entry.number not in self._items_by_row:
            found = complete_items(entry, self._library, self.modalities)
            self._items_by_row[entry.number] = found
        return self._items_by_row[entry.number]

    def _key(self, item: Item) -> int:
        key = item_key(item, self.modalities, self._longest_ns)
        return self._keys.setdefault(key, len(self._keys))

    def _content(self, entry: Entry) -> dict[str, object]:
        found: dict[str, object] = {}
        for modality, plan in self._library.plans(entry).items():
            found[modality.value] = plan.key
        for modality in entry.timeless():
            vector = entry.vector(modality)
            if vector is not None:
                found[modality.value] = content_sha256(entry.path(vector.vector))
        return found


def complete_items(entry: Entry, library: Library, modalities: tuple[Modality, ...]) -> list[Item]:
    """The items of a row that have every modality.

    Raises:
        InputError: naming the row, and what each modality has, if there are none.
    """
    plans = {m: plan for m, plan in library.plans(entry).items() if m in modalities}
    stocks = {modality: library.stock_of(entry, plan) for modality, plan in plans.items()}
    items = items_of(entry, stocks, [m for m in entry.timeless() if m in modalities])
    complete = [item for item in items if set(modalities) <= set(item.places)]
    if not complete:
        spans = [
            f"{m} {_extent(stock.spans_ns)} ({plans[m].name})"
            for m, stock in stocks.items()
            if not stock.is_still
        ]
        raise entry.error(
            "its modalities have no window in common; windows end at "
            f"{', '.join(spans)}; check that the files belong together and last equally long"
        )
    return complete


def _extent(spans_ns: NDArray[np.int64]) -> str:
    if not len(spans_ns):
        return "nowhere"
    first, last = spans_ns[[0, -1], 0] / 1e9
    return f"{first:g} s" if first == last else f"{first:g} to {last:g} s"


def _texts(
    encoders: Mapping[Modality, EncoderSpec], towers: Mapping[Modality, Tower], file: Path | None
) -> Texts | None:
    if Modality.TEXT not in encoders or Modality.TEXT in towers:
        return None
    spec = encoders[Modality.TEXT].preprocess
    if file is None or not isinstance(spec, TextSpec):
        raise BundleError("texts are to be tokenized and no tokenizer file was given")
    return Texts(spec, file)
