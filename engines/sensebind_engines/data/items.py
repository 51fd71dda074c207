# SPDX-License-Identifier: Apache-2.0
"""Items: what belongs together at one instant of a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensebind.types import Modality

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Mapping

    from numpy.typing import NDArray

    from sensebind_engines.data.library import Stock
    from sensebind_engines.data.manifest import Entry


@dataclass(frozen=True)
class Item:
    """What one instant of a row has.

    Attributes:
        entry: the row.
        instant_ns: where its windows end; None if it has nothing but what is timeless.
        places: of each modality the place of its window in the row's stock; 0 for what is timeless.
    """

    entry: Entry
    instant_ns: int | None
    places: dict[Modality, int]


def item_key(item: Item, modalities: Collection[Modality], block_ns: int) -> Hashable:
    """What an item is to losses and retrieval; items of equal keys are one thing (`Row.key`).

    Args:
        item: the item.
        modalities: those that are compared.
        block_ns: moments of a recording in one block of this length are one thing.
    """
    row = item.entry.row
    if row.key is not None:
        return ("key", row.key)
    if Modality.TEXT in modalities and row.texts():
        return ("text", row.texts())
    if row.recording is not None and item.instant_ns is not None:
        return ("time", row.recording, item.instant_ns // block_ns)
    return ("row", item.entry.number)


def items_of(
    entry: Entry, stocks: Mapping[Modality, Stock], timeless: Collection[Modality]
) -> list[Item]:
    """One item per instant at which any modality of a row has a window inside the row's range.

    Pictures and texts are of every instant; a row of nothing else is one item.

    Raises:
        InputError: if no modality has a window at the row's `grid_ns`, naming the nearest ones.
    """
    fixed = dict.fromkeys([*timeless, *(m for m, s in stocks.items() if s.is_still)], 0)
    timed = {m: s.spans_ns for m, s in stocks.items() if not s.is_still}
    if not timed:
        return [Item(entry, None, fixed)] if fixed else []
    places: dict[int, dict[Modality, int]] = {}
    for modality, spans_ns in timed.items():
        for place in np.flatnonzero(entry.inside(spans_ns)):
            places.setdefault(int(spans_ns[place, 0]), {})[modality] = int(place)
    if entry.row.grid_ns is not None and not places:
        raise entry.error(_nothing_at(entry.row.grid_ns, timed))
    return [Item(entry, instant, {**fixed, **places[instant]}) for instant in sorted(places)]


def _nothing_at(grid_ns: int, timed: Mapping[Modality, NDArray[np.int64]]) -> str:
    nearest = []
    for modality, spans_ns in timed.items():
        if len(spans_ns):
            near = spans_ns[np.abs(spans_ns[:, 0] - grid_ns).argmin(), 0]
            nearest.append(f"{modality.value} {near}")
    return (
        f"no window ends at grid_ns {grid_ns}; the nearest that do: "
        f"{', '.join(nearest) or 'none, the streams give no windows'}"
    )
