# SPDX-License-Identifier: Apache-2.0
"""Frames of one value per pixel (depth, thermal) as arrays, without a copy where possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.errors import InputError
from sensebind.preprocess.pictures import open_picture
from sensebind.preprocess.raw_pixels import raw_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.types import Frame

_DTYPES: dict[str, np.dtype[Any]] = {
    "mono8": np.dtype(np.uint8),
    "8UC1": np.dtype(np.uint8),
    "mono16": np.dtype(np.uint16),
    "16UC1": np.dtype(np.uint16),
    "32FC1": np.dtype(np.float32),
}
"""ROS image encoding (sensor_msgs/image_encodings.hpp) to the type of its one channel."""

_PNG_16_BIT_GREY = b"\x10\x00"  # bit depth and colour type in the IHDR chunk


def holds_counts(frame: Frame) -> bool:
    """Whether a frame has one 16-bit or float value per pixel: raw, or a PNG file."""
    is_png = bytes(frame.data[:4]) == b"\x89PNG" and frame.encoding in ("jpeg", "png", "png16")
    if is_png:
        return bytes(frame.data[24:26]) == _PNG_16_BIT_GREY
    return _DTYPES.get(frame.encoding, np.uint8) != np.uint8


def grey_pixels(frame: Frame) -> NDArray[Any]:
    """Pixels (h, w) as the frame stores them: uint8, uint16 or float32 of any byte order.

    Raises:
        InputError: naming the encoding, size or defect, and what can be read.
    """
    if frame.encoding in ("jpeg", "png", "png16"):
        return _png_pixels(frame)
    dtype = _DTYPES.get(frame.encoding)
    if dtype is None:
        raise InputError(
            f"image encoding {frame.encoding!r} does not hold one value per pixel; expected one "
            f"of {', '.join(_DTYPES)} or a grey PNG file"
        )
    return raw_array(frame, dtype)


def _png_pixels(frame: Frame) -> NDArray[Any]:
    image = open_picture(frame)
    if image.mode not in ("L", "I", "I;16", "I;16B"):
        raise InputError(
            f"a {frame.encoding} frame has pixels of mode {image.mode!r}, expected one grey "
            "channel of 8 or 16 bits"
        )
    # Some releases of Pillow open 16-bit files as 32-bit integers.
    return np.asarray(image, dtype=np.uint8 if image.mode == "L" else np.uint16)
