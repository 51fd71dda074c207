# SPDX-License-Identifier: Apache-2.0
"""One crop and one flip for all frames of an item, whatever their resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind_engines.data.augment.config import SpatialAugment


@dataclass(frozen=True)
class View:
    """A part of a view, in shares of its width and height.

    Attributes:
        left: left edge.
        top: upper edge.
        side: share of either side that is kept.
        flipped: mirrored left to right.
    """

    left: float = 0.0
    top: float = 0.0
    side: float = 1.0
    flipped: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it changes nothing."""
        return self.side == 1.0 and not self.flipped


def draw_view(amount: SpatialAugment, rng: np.random.Generator) -> View:
    """Draw the part that all frames of an item show."""
    area, left, top, flip = rng.random(4)
    side = float(np.sqrt(amount.smallest_area + (1 - amount.smallest_area) * area))
    if amount.smallest_area == 1.0:
        side = 1.0
    return View(left * (1 - side), top * (1 - side), side, bool(flip < amount.flip))


def seen(pixels: NDArray[Any], view: View) -> NDArray[Any]:
    """The part of pixels (h, w, ...) that a view shows, at least one pixel."""
    height, width = pixels.shape[:2]
    top, bottom = _edges(view.top, view.side, height)
    left, right = _edges(view.left, view.side, width)
    part = pixels[top:bottom, left:right]
    return part[:, ::-1] if view.flipped else part


def _edges(start: float, share: float, size: int) -> tuple[int, int]:
    first = min(round(start * size), size - 1)
    return first, min(max(first + round(share * size), first + 1), size)
