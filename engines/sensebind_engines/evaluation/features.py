# SPDX-License-Identifier: Apache-2.0
"""Features of a recording or data set, for encoders that are there already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sensebind_engines.data.library import Library
from sensebind_engines.data.manifest import Entry, Row
from sensebind_engines.data.store import Store, digest
from sensebind_engines.evaluation.opening import SAMPLE, open_entries

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from sensebind.manifest import Manifest
    from sensebind.types import Features, Modality
    from sensebind_engines.data.library import Stock

_LISTS = (".jsonl", ".parquet")


def features_of(manifest: Manifest, data: str, rows: int) -> dict[Modality, Features]:
    """Features of up to `rows` windows of each modality, evenly chosen, in the data's order.

    Args:
        manifest: of the bundle whose front ends make them.
        data: a manifest (.jsonl, .parquet), a folder with truth.json, "sample", or a recording.
        rows: most windows of a modality.

    Raises:
        InputError: the data cannot be used.
    """
    specs = {m: spec for m, spec in manifest.encoders.items() if spec.window}
    library = Library(specs, Store(None), None)
    places: dict[Modality, dict[Hashable, tuple[Stock, int]]] = {}
    for entry in _entries(data):
        for modality, plan in library.plans(entry).items():
            stock = library.stock_of(entry, plan)
            known = places.setdefault(modality, {})
            for place in range(len(stock)):  # rows may name the same windows
                known.setdefault((digest(stock.key), place), (stock, place))
    return {m: _stacked(library, list(known.values()), rows) for m, known in places.items()}


def _entries(data: str) -> Sequence[Entry]:
    path = Path(data)
    if data == SAMPLE or path.suffix in _LISTS or (path / "truth.json").is_file():
        return open_entries(data, None)[0]
    return [Entry(path, 1, Row(recording=path.name))]


def _stacked(library: Library, places: list[tuple[Stock, int]], rows: int) -> Features:
    chosen = np.unique(np.linspace(0, len(places) - 1, rows).astype(np.int64))
    windows = [library.features(*places[int(index)]) for index in chosen]
    return {name: np.stack([window[name] for window in windows]) for name in windows[0]}
