# SPDX-License-Identifier: Apache-2.0
"""From items to the rows of a batch: windows, changed or not, through the runtime's front ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import numpy as np

from sensebind.errors import InputError
from sensebind.grid import nanoseconds
from sensebind.preprocess import make_preprocessor
from sensebind.types import Modality
from sensebind_engines.data.augment import augment_features, augment_window, changes_window
from sensebind_engines.data.augment.spatial import View, draw_view
from sensebind_engines.data.base import VECTOR
from sensebind_engines.data.vectors import Vectors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sensebind.types import Features, Window
    from sensebind_engines.data.config import DataConfig
    from sensebind_engines.data.items import Item
    from sensebind_engines.data.library import Library, Stock
    from sensebind_engines.data.texts import Texts

    Content = Features | str

_FRAMES = (Modality.VISION, Modality.DEPTH, Modality.THERMAL)


class Tower(Protocol):
    """A frozen tower: embeddings in the place of features."""

    def vectors(self, contents: Sequence[Any]) -> NDArray[np.float32]:
        """Unit embeddings (n, dim) of texts (strings), or of the features of windows (dicts)."""
        ...


class Rows:
    """Makes the rows of batches.

    Args:
        library: windows and features.
        config: augmentation and jitter.
        texts: tokenizer; None if no text is tokenized.
        towers: frozen towers by modality.
    """

    def __init__(
        self,
        library: Library,
        config: DataConfig,
        texts: Texts | None,
        towers: Mapping[Modality, Tower],
    ) -> None:
        self._library = library
        self._amount = config.augment
        self._jitter_ns = nanoseconds(config.jitter_s) if config.jitter_s else 0
        self._texts = texts
        self._towers = towers
        self._vectors = Vectors()

    def contents(
        self, items: Sequence[Item], modalities: Sequence[Modality], seeds: Sequence[int | None]
    ) -> list[dict[Modality, Content]]:
        """What each item has of each modality: features, or a text as it is.

        Args:
            items: the rows.
            modalities: which of their modalities.
            seeds: of each row's augmentation; None for none.

        Raises:
            InputError: naming manifest, row and file of what cannot be used.
        """
        rows = []
        for place, (item, seed) in enumerate(zip(items, seeds, strict=True)):
            view = View() if seed is None else self._view(item, seed)
            row: dict[Modality, Content] = {}
            for number, modality in enumerate(modalities, start=1):
                rng = None if seed is None else np.random.default_rng((seed, number))
                other = items[(place + 1) % len(items)]
                row[modality] = self._content(item, modality, rng, view, other)
            rows.append(row)
        return rows

    def stacked(self, modality: Modality, contents: Sequence[Content]) -> Features:
        """One modality of all rows, rows first.

        Raises:
            InputError: if the rows differ in shape.
        """
        if modality in self._towers and not _are_vectors(contents):
            return {VECTOR: self._towers[modality].vectors(contents)}
        features = [c for c in contents if not isinstance(c, str)]
        if modality is Modality.TEXT and not _are_vectors(contents):
            assert self._texts is not None
            features = self._texts.features([c for c in contents if isinstance(c, str)])
        try:
            return {name: np.stack([f[name] for f in features]) for name in features[0]}
        except (KeyError, ValueError) as error:
            raise InputError(
                f"the {modality} rows of a batch do not fit together: {error}"
            ) from None

    def _content(
        self,
        item: Item,
        modality: Modality,
        rng: np.random.Generator | None,
        view: View,
        other: Item,
    ) -> Content:
        entry = item.entry
        vector = entry.vector(modality)
        if vector is not None:
            try:
                return {VECTOR: self._vectors.row(entry.path(vector.vector), vector.index)}
            except InputError as error:
                raise entry.error(f"{modality}: {error}") from None
        if modality is Modality.TEXT:
            texts = entry.row.texts()
            return texts[0 if rng is None else int(rng.integers(len(texts)))]
        name = ""
        try:
            plan = self._library.plans(entry)[modality]
            name = plan.name
            stock = self._library.stock(plan)
            return self._features(item, stock, rng, view, other)
        except (InputError, OSError) as error:
            where = "" if name in str(error) else f"{name}: "
            raise entry.error(f"{modality}: {where}{error}") from None

    def _features(
        self,
        item: Item,
        stock: Stock,
        rng: np.random.Generator | None,
        view: View,
        other: Item,
    ) -> Features:
        modality = stock.config.modality
        place = item.places[modality]
        if rng is None or modality in self._towers:
            return self._library.features(stock, place)
        place = self._jittered(item, stock, rng)
        features = self._changed(item, stock, place, rng, view, other)
        if features is None:
            features = self._library.features(stock, place)
        return augment_features(features, stock.spec, self._amount, rng)

    def _changed(
        self,
        item: Item,
        stock: Stock,
        place: int,
        rng: np.random.Generator,
        view: View,
        other: Item,
    ) -> Features | None:
        """Features of a changed window; None if there is nothing to change."""
        modality = stock.config.modality
        if not changes_window(modality, self._amount, view):
            return None
        changed = augment_window(
            stock.window(place),
            stock.config,
            self._amount,
            rng,
            view=view,
            aligned=sum(m in _FRAMES for m in item.places) > 1,
            other=self._mixed_in(other, modality),
        )
        # The stream's pixel format was that of the frame that was decoded.
        config = msgspec.structs.replace(stock.config, format=None)
        return make_preprocessor(stock.spec, config).prepare(changed).features

    def _view(self, item: Item, seed: int) -> View:
        """What the item's frames show; all of it where one of them is embedded beforehand."""
        frames = [m for m in _FRAMES if m in item.places]
        given = [m for m in frames if item.entry.vector(m) is not None]
        embedded = any(m in self._towers for m in frames if m not in given)
        if embedded or (given and not self._amount.spatial.vectors_of_things):
            return View()
        return draw_view(self._amount.spatial, np.random.default_rng((seed, 0)))

    def _jittered(self, item: Item, stock: Stock, rng: np.random.Generator) -> int:
        """The place of a window near the item's, in the row's range."""
        place = item.places[stock.config.modality]
        if not self._jitter_ns or stock.is_still or item.instant_ns is None:
            return place
        near = np.abs(stock.spans_ns[:, 0] - item.instant_ns) <= self._jitter_ns
        return int(rng.choice(np.flatnonzero(near & item.entry.inside(stock.spans_ns))))

    def _mixed_in(self, other: Item, modality: Modality) -> Window | None:
        if modality is not Modality.AUDIO or not self._amount.audio.mix:
            return None
        plan = self._library.plans(other.entry).get(modality)
        if plan is None or modality not in other.places:
            return None
        return self._library.stock(plan).window(other.places[modality])


def _are_vectors(contents: Sequence[Content]) -> bool:
    return all(not isinstance(content, str) and set(content) == {VECTOR} for content in contents)
