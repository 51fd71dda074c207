# SPDX-License-Identifier: Apache-2.0
"""Where a frame's pixels go: the short-side rule, and several frames stacked.

The short side becomes `short` pixels, the long one int(short * long / short side), cut, not
rounded: torchvision's rule. (Pillow's own `ImageOps.fit` rounds; a 640 x 480 frame at short side
224 is 298 pixels wide here, 299 there.) The middle size x size is kept, its left and top edge at
round((side - size) / 2), halves to even.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError
from sensebind.preprocess.base import Prepared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sensebind.types import Frame, Window


def scaled_size(width: int, height: int, short: int) -> tuple[int, int]:
    """Width and height of a picture whose short side becomes `short` pixels."""
    if width <= height:
        return short, int(short * height / width)
    return int(short * width / height), short


def middle(side: int, size: int) -> int:
    """First of the `size` middle pixels of a side."""
    return round((side - size) / 2)


def check_crop(size: int, resize_to: int | None) -> int:
    """The short side before the crop.

    Raises:
        InputError: if the crop is larger than what it is cut from.
    """
    if resize_to is not None and resize_to < size:
        raise InputError(
            f"the bundle resizes the short side to {resize_to} pixels and then crops {size}; "
            "resize_to must be at least size"
        )
    return resize_to or size


class FramesPreprocessor(ABC):
    """Makes features of windows of frames; a sense says what one frame becomes.

    Args:
        sense: its name, for messages.
        positions: where in the window the frames are taken.
        pixel_format: encoding of raw frames that tell a wrong one.
        input_name: name of the graph's input.
    """

    def __init__(
        self, sense: str, positions: Sequence[float], pixel_format: str | None, input_name: str
    ) -> None:
        self._sense = sense
        self._positions = len(positions)
        self._format = pixel_format
        self._input = input_name

    @abstractmethod
    def _features(self, frame: Frame) -> tuple[NDArray[np.float32], float]:
        """Features of one frame and its valid fraction."""

    def prepare(self, window: Window) -> Prepared:
        """Features of a window's frames and the mean of their valid fractions.

        One position gives the features of its frame, F > 1 give float32 [F, …], oldest first; a
        single frame is repeated.

        Raises:
            InputError: if the frames cannot be used, or their number is neither that of the
                positions nor 1.
        """
        expected = self._positions
        if len(window.frames) not in (1, expected):
            raise InputError(
                f"a {self._sense} window has {len(window.frames)} frames, expected {expected} "
                "(frame_positions of the bundle) or 1"
            )
        made = [self._features(_relabelled(frame, self._format)) for frame in window.frames]
        valid_fraction = sum(valid for _, valid in made) / len(made)
        planes = [features for features, _ in made]
        if expected == 1:
            return Prepared({self._input: planes[0]}, valid_fraction)
        stacked = np.stack(planes * expected if len(planes) == 1 else planes)
        return Prepared({self._input: stacked}, valid_fraction)


def _relabelled(frame: Frame, pixel_format: str | None) -> Frame:
    compressed = frame.encoding in ("jpeg", "png", "png16")
    return frame if pixel_format is None or compressed else replace(frame, encoding=pixel_format)
