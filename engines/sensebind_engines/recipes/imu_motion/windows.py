# SPDX-License-Identifier: Apache-2.0
"""Windows of a manifest as features, classes and groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.types import Modality
from sensebind_engines.data.config import DataConfig
from sensebind_engines.data.paired import ManifestData

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.specs import EncoderSpec

HOP_S = 1.0
"""Between windows that are measured; they overlap by half."""


class Windows(NamedTuple):
    """What is asked of an encoder.

    Attributes:
        features: (n, 6, T) float32, as the runtime makes them.
        labels: (n,) classes.
        groups: (n,) episodes, or subjects: windows of one are not independent.
        items: file and time of each.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.str_]
    groups: NDArray[np.str_]
    items: tuple[str, ...]

    def of(self, labels: tuple[str, ...]) -> Windows:
        """The windows of some classes."""
        kept = np.flatnonzero(np.isin(self.labels, labels))
        items = tuple(self.items[place] for place in kept)
        return Windows(self.features[kept], self.labels[kept], self.groups[kept], items)

    def truth(self, labels: tuple[str, ...]) -> NDArray[np.int64]:
        """Places of the windows' classes among `labels`."""
        return np.array([labels.index(label) for label in self.labels], np.int64)


def read_windows(manifest: Path, split: str, spec: EncoderSpec) -> Windows:
    """All windows of a split.

    Raises:
        InputError: naming manifest, row and file of what cannot be used.
    """
    config = DataConfig(manifest=manifest.name, split=split, hop_s=HOP_S)
    data = ManifestData(config, {Modality.IMU: spec}, folder=manifest.parent)
    items = [data.item(index) for index in range(len(data))]
    (features,) = data.batch(np.arange(len(data)), None).features[Modality.IMU].values()
    rows = [item.entry.row for item in items]
    return Windows(
        features.numpy(),
        np.array([row.labels(Modality.IMU)[0] for row in rows]),
        np.array([str(row.group) for row in rows]),
        tuple(
            f"{row.group} at {(item.instant_ns or 0) / 1e9:.1f} s"
            for row, item in zip(rows, items, strict=True)
        ),
    )
