# SPDX-License-Identifier: Apache-2.0
"""Raw camera encodings that Pillow does not read, as RGB or grey pixels of 8 bits.

* 16 bits (mono16, rgb16, bgr16, rgba16, bgra16): value / 257, rounded, so that 65535 is 255, as
  cv_bridge has it. Sensors of 10 or 12 bits that leave the upper bits empty come out dark.
* yuv422 (U Y V Y), yuv422_yuy2 (Y U Y V): BT.601 of video range, as cv_bridge and OpenCV take it:
  luma 16 (darker is black) to 235, chroma 16 to 240. Both pixels of a pair have its chroma.
* bayer_rggb8 and its kin: each cell of 2 x 2 becomes one pixel, red and blue as they are and the
  mean of the greens (halves up). The picture has half the size and no invented colours; encoders
  take far fewer pixels than cameras give. A last odd row or column is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.errors import InputError
from sensebind.preprocess.raw_pixels import raw_array

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sensebind.types import Frame

_DEEP = {
    "mono16": (1, (0,)),
    "rgb16": (3, (0, 1, 2)),
    "bgr16": (3, (2, 1, 0)),
    "rgba16": (4, (0, 1, 2)),
    "bgra16": (4, (2, 1, 0)),
}
_YUV = {"yuv422": (1, 0, 2), "uyvy": (1, 0, 2), "yuv422_yuy2": (0, 1, 3), "yuyv": (0, 1, 3)}
"""Encoding to the places of the first luma and of U and V among the four bytes of two pixels."""
_BAYER = {"bayer_rggb8": 0, "bayer_grbg8": 1, "bayer_gbrg8": 2, "bayer_bggr8": 3}
"""Encoding to the place of red in the cell, row by row; blue is opposite."""

# BT.601, luma of 219 and chroma of 224 steps: Kr 0.299, Kb 0.114.
_LUMA = 255 / 219
_RED_OF_V = 255 / 224 * 2 * (1 - 0.299)
_BLUE_OF_U = 255 / 224 * 2 * (1 - 0.114)
_CHROMA = (
    (0.0, _RED_OF_V),
    (-_BLUE_OF_U * 0.114 / 0.587, -_RED_OF_V * 0.299 / 0.587),
    (_BLUE_OF_U, 0.0),
)
"""What U and V add to red, green and blue."""


def _deep_pixels(frame: Frame) -> NDArray[np.uint8]:
    channels, order = _DEEP[frame.encoding]
    pixels = raw_array(frame, np.dtype(np.uint16), channels)
    chosen = pixels if channels == 1 else pixels[:, :, order]
    # value / 257 is never halfway between two integers.
    return ((chosen.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _yuv_pixels(frame: Frame) -> NDArray[np.uint8]:
    if frame.width % 2:
        raise InputError(
            f"a {frame.encoding} frame is {frame.width} pixels wide, expected an even number: two "
            "pixels share their colour"
        )
    luma, u, v = _YUV[frame.encoding]
    pixels = raw_array(frame, np.dtype(np.uint8), 2)
    pairs = pixels.reshape(frame.height, frame.width // 2, 4).astype(np.float32)
    blue, red = pairs[:, :, u, np.newaxis] - 128, pairs[:, :, v, np.newaxis] - 128
    grey = np.maximum(pairs[:, :, luma::2] - 16, 0) * np.float32(_LUMA)
    grey += 0.5  # rounded when cut to integers
    colours = np.empty((*grey.shape, 3), dtype=np.uint8)
    for channel, (of_u, of_v) in enumerate(_CHROMA):
        tint = np.float32(of_u) * blue + np.float32(of_v) * red
        colours[..., channel] = (grey + tint).clip(0, 255)
    return colours.reshape(frame.height, frame.width, 3)


def _bayer_pixels(frame: Frame) -> NDArray[np.uint8]:
    pixels = raw_array(frame, np.dtype(np.uint8))
    rows, columns = frame.height // 2, frame.width // 2
    if rows == 0 or columns == 0:
        raise InputError(
            f"a {frame.encoding} frame has {frame.width} x {frame.height} pixels, expected at "
            "least one cell of 2 x 2"
        )
    cells = [pixels[i : 2 * rows : 2, j : 2 * columns : 2] for i in (0, 1) for j in (0, 1)]
    red = _BAYER[frame.encoding]
    first, second = (cells[i].astype(np.uint16) for i in range(4) if i not in (red, 3 - red))
    green = ((first + second + 1) // 2).astype(np.uint8)
    return np.stack([cells[red], green, cells[3 - red]], axis=-1)


_READERS: dict[str, Callable[[Frame], NDArray[np.uint8]]] = {
    **dict.fromkeys(_DEEP, _deep_pixels),
    **dict.fromkeys(_YUV, _yuv_pixels),
    **dict.fromkeys(_BAYER, _bayer_pixels),
}

ENCODINGS = tuple(_READERS)
"""ROS image encodings (sensor_msgs/image_encodings.hpp) that `camera_pixels` reads."""


def camera_pixels(frame: Frame) -> NDArray[Any]:
    """Pixels uint8 (h, w, 3) RGB, or (h, w) grey, of a frame of one of the `ENCODINGS`.

    Raises:
        InputError: if the frame's size, step and bytes do not fit each other or its encoding.
    """
    return _READERS[frame.encoding](frame)
