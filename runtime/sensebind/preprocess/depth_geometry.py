# SPDX-License-Identifier: Apache-2.0
"""Which source pixels each pixel of a resized and cropped depth picture takes.

Output pixel i of a side lies at (i + 0.5) * source side / resized side - 0.5 of the source.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.preprocess.frame_fit import middle, scaled_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_SHARE = 1e-6
"""Smaller shares are rounding errors; a product of two must stay far from the denormal numbers."""


class _Axis(NamedTuple):
    """Along one side of the picture: the source pixel before each output pixel, and how far on."""

    before: NDArray[np.uint32]
    after: NDArray[np.uint32]
    share: NDArray[np.float32]


class BilinearGeometry(NamedTuple):
    """Neighbours and their shares, as `_depth_kernels.resize_bilinear` takes them after `raw`."""

    rows: NDArray[np.uint32]
    row_shares: NDArray[np.float32]
    part: NDArray[np.uint32]
    columns: NDArray[np.uint32]
    column_shares: NDArray[np.float32]
    column_weights: NDArray[np.float32]


@lru_cache(maxsize=16)
def bilinear_geometry(height: int, width: int, short: int, size: int) -> BilinearGeometry:
    """Geometry of a height x width picture resized to the side `short` and cropped to `size`."""
    resized_width, resized_height = scaled_size(width, height, short)
    rows = _axis(height, resized_height, size)
    columns = _axis(width, resized_width, size)
    first = int(columns.before[0])
    left = columns.before - np.uint32(first)
    count = int(columns.after[-1]) - first + 1
    weights = np.zeros(count + 1)
    np.add.at(weights, left, 1.0 - columns.share)
    np.add.at(weights, left + 1, columns.share)
    both = np.stack([rows.before, rows.after])
    part = np.array([first, count], dtype=np.uint32)
    return BilinearGeometry(
        both, rows.share, part, left, columns.share, weights[:count].astype(np.float32)
    )


def _axis(source: int, resized: int, size: int) -> _Axis:
    place = _places(source, resized, size).clip(0, source - 1)
    before = np.floor(place)
    share = place - before
    share[share < _LEAST_SHARE] = 0.0
    after = np.minimum(before + 1, source - 1)
    return _Axis(before.astype(np.uint32), after.astype(np.uint32), share.astype(np.float32))


@lru_cache(maxsize=16)
def nearest_geometry(
    height: int, width: int, short: int, size: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Source row of each output row, source column of each output column."""
    resized_width, resized_height = scaled_size(width, height, short)
    rows = np.floor(_places(height, resized_height, size) + 0.5).clip(0, height - 1)
    columns = np.floor(_places(width, resized_width, size) + 0.5).clip(0, width - 1)
    return rows.astype(np.uint32), columns.astype(np.uint32)


def _places(source: int, resized: int, size: int) -> NDArray[np.float64]:
    """Where the pixels of the crop lie, in pixels of the source."""
    first = middle(resized, size)
    middles = np.arange(first + 0.5, first + size, dtype=np.float64)
    return middles * (source / resized) - 0.5
