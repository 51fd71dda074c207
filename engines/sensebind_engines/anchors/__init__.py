# SPDX-License-Identifier: Apache-2.0
"""Frozen anchors: towers of a bundle, whose embeddings are computed once and kept on disk.

An anchor is a bundle: the built-in `demo`, one imported from weights by `sensebind
import-imagebind`, or any other. A file of weights is imported into the cache when it is first used
(`sensebind_engines.anchors.weights`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind_engines.anchors.anchor import Anchor, Tower

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.types import Modality

__all__ = ["Anchor", "Tower", "open_anchor"]


def open_anchor(source: str | Path, modality: Modality, cache: Path | None = None) -> Tower:
    """Open one frozen tower.

    Args:
        source: a bundle's name or folder, or a file of weights in ImageBind's or OpenCLIP's layout.
        modality: which tower.
        cache: folder of embeddings; the user's cache folder if None.

    Raises:
        BundleError, InputError: there is no such anchor, or it lacks the tower.
    """
    return Anchor.open(source, (modality,), cache).tower(modality)
