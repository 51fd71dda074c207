# SPDX-License-Identifier: Apache-2.0
"""Camera frames to RGB features.

Definition. A frame becomes 8-bit RGB (`sensebind.preprocess.pictures`), is resized with Pillow's
filter, which weighs every source pixel under it when shrinking, and normalised to
(value / 255 - mean) / std, float32 [3, size, size].

* "stretch": both sides become `size`.
* "short_side_crop": the short side becomes `resize_to` (`size` if not given), the long one
  int(resize_to * long / short); then the middle size x size is kept, its left and top edge at
  round((side - size) / 2), halves to even. These are torchvision's rules.

Several `frame_positions` give [F, 3, size, size], oldest first; one picture is repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sensebind.errors import InputError
from sensebind.preprocess.base import Prepared
from sensebind.preprocess.pictures import decode_frame
from sensebind.specs import VisionSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.config import StreamConfig
    from sensebind.specs import EncoderSpec
    from sensebind.types import Window

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


class VisionPreprocessor:
    """Makes the features of camera windows as a VisionSpec says."""

    def __init__(self, spec: VisionSpec, *, input_name: str = "features") -> None:
        if spec.resize_to is not None and spec.resize_to < spec.size:
            raise InputError(
                f"the bundle resizes the short side to {spec.resize_to} pixels and then crops "
                f"{spec.size}; resize_to must be at least size"
            )
        self._spec = spec
        self._input = input_name
        std = np.asarray(spec.std, dtype=np.float64)
        self._scale = (1.0 / (255.0 * std)).astype(np.float32)[:, np.newaxis, np.newaxis]
        self._offset = (-np.asarray(spec.mean) / std).astype(np.float32)[:, np.newaxis, np.newaxis]

    def prepare(self, window: Window) -> Prepared:
        """Features float32 [3, size, size], or [F, 3, size, size] for F > 1 frame positions.

        Raises:
            InputError: if the frames cannot be decoded or their number is wrong.
        """
        expected = len(self._spec.frame_positions)
        frames = window.frames
        if len(frames) not in (1, expected):
            raise InputError(
                f"a vision window has {len(frames)} frames, expected {expected} "
                "(frame_positions of the bundle) or 1"
            )
        planes = [self._normalised(_fitted(decode_frame(f), self._spec)) for f in frames]
        if expected == 1:
            return Prepared({self._input: planes[0]})
        stacked = np.stack(planes * expected if len(planes) == 1 else planes)
        return Prepared({self._input: stacked})

    def _normalised(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        planes: NDArray[np.float32] = np.multiply(
            picture.transpose(2, 0, 1), self._scale, order="C"
        )
        planes += self._offset
        return planes


def make(spec: EncoderSpec, stream: StreamConfig | None) -> VisionPreprocessor:
    """Make the preprocessor of a vision encoder; no stream setting changes it."""
    del stream
    assert isinstance(spec.preprocess, VisionSpec)
    return VisionPreprocessor(spec.preprocess, input_name=spec.inputs[0].name)


def fit_picture(picture: NDArray[np.uint8], spec: VisionSpec) -> NDArray[np.uint8]:
    """Resize and crop RGB uint8 (h, w, 3) to (size, size, 3) as this module's docstring says."""
    return _fitted(Image.fromarray(picture), spec)


def _fitted(image: Image.Image, spec: VisionSpec) -> NDArray[np.uint8]:
    size = spec.size
    if spec.fit == "stretch":
        return np.asarray(image.resize((size, size), _FILTERS[spec.interpolation]))
    short = spec.resize_to or size
    scaled = _scaled_size(image.width, image.height, short)
    left, top = (round((side - size) / 2) for side in scaled)
    image = image.resize(scaled, _FILTERS[spec.interpolation])
    return np.asarray(image.crop((left, top, left + size, top + size)))


def _scaled_size(width: int, height: int, short: int) -> tuple[int, int]:
    if width <= height:
        return short, int(short * height / width)
    return int(short * width / height), short
