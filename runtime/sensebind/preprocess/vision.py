# SPDX-License-Identifier: Apache-2.0
"""Camera frames to RGB features.

Definition. A frame becomes 8-bit RGB (`sensebind.preprocess.pictures`), is resized with Pillow's
filter, which weighs every source pixel under it when shrinking, and normalised to
(value / 255 - mean) / std, float32 [3, size, size].

* "stretch": both sides become `size`.
* "short_side_crop": the short side becomes `resize_to` (`size` if not given) and the middle
  size x size is kept, by the rules of `sensebind.preprocess.frame_fit`, which are torchvision's.

Several `frame_positions` give [F, 3, size, size], oldest first; one picture is repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sensebind.preprocess.frame_fit import FramesPreprocessor, check_crop
from sensebind.preprocess.pictures import FILTERS, decode_frame, fit_short_side
from sensebind.specs import VisionSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.calibration import StreamCalibration
    from sensebind.config import StreamConfig
    from sensebind.specs import EncoderSpec
    from sensebind.types import Frame


class VisionPreprocessor(FramesPreprocessor):
    """Makes the features of camera windows as a VisionSpec says."""

    def __init__(
        self, spec: VisionSpec, *, pixel_format: str | None = None, input_name: str = "features"
    ) -> None:
        check_crop(spec.size, spec.resize_to)
        super().__init__("vision", spec.frame_positions, pixel_format, input_name)
        self._spec = spec
        std = np.asarray(spec.std, dtype=np.float64)
        self._scale = (1.0 / (255.0 * std)).astype(np.float32)[:, np.newaxis, np.newaxis]
        self._offset = (-np.asarray(spec.mean) / std).astype(np.float32)[:, np.newaxis, np.newaxis]

    def _features(self, frame: Frame) -> tuple[NDArray[np.float32], float]:
        return self._normalised(_fitted(decode_frame(frame), self._spec)), 1.0

    def _normalised(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        planes: NDArray[np.float32] = np.multiply(
            picture.transpose(2, 0, 1), self._scale, order="C"
        )
        planes += self._offset
        return planes


def make(
    spec: EncoderSpec, stream: StreamConfig | None, calibration: StreamCalibration
) -> VisionPreprocessor:
    """Make the preprocessor of a vision encoder; of a stream's settings `format` applies."""
    del calibration  # there is none of colour
    assert isinstance(spec.preprocess, VisionSpec)
    return VisionPreprocessor(
        spec.preprocess,
        pixel_format=stream.format if stream else None,
        input_name=spec.inputs[0].name,
    )


def fit_picture(picture: NDArray[np.uint8], spec: VisionSpec) -> NDArray[np.uint8]:
    """Resize and crop RGB uint8 (h, w, 3) to (size, size, 3) as this module's docstring says."""
    return _fitted(Image.fromarray(picture), spec)


def _fitted(image: Image.Image, spec: VisionSpec) -> NDArray[np.uint8]:
    size, resample = spec.size, FILTERS[spec.interpolation]
    if spec.fit == "stretch":
        return np.asarray(image.resize((size, size), resample))
    return np.asarray(fit_short_side(image, spec.resize_to or size, size, resample))
