# SPDX-License-Identifier: Apache-2.0
"""A data set as a configuration names it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sensebind.specs import Positive, Strict
from sensebind_engines.data.augment.config import Augmentation

Windows = Literal["each", "one"]


class DataConfig(Strict, frozen=True):
    """Which rows of a manifest are used, and how.

    Attributes:
        manifest: `.jsonl` or `.parquet`; relative to the folder the configuration is in.
        split: only rows of this split; all if None.
        windows: "each" window of a row is an item, and all files are read when the data are opened;
            with "one" a row is an item: a window drawn anew each time, the middle one where
            nothing is drawn.
        hop_s: time between windows; the encoders' if None. Modalities meet at equal instants.
        jitter_s: drawn anew each time: how far the window of each modality may be from the item's
            instant. Moves whole hops, inside the row's range; what a frozen tower embeds stays.
        cache: folder for cut windows and features; None keeps what fits in memory.
        augment: how much is changed when a batch is drawn with a generator.
    """

    manifest: str
    split: str | None = None
    windows: Windows = "each"
    hop_s: Positive | None = None
    jitter_s: Annotated[float, Meta(ge=0, le=60)] = 0.0
    cache: str | None = None
    augment: Augmentation = msgspec.field(default_factory=Augmentation)
