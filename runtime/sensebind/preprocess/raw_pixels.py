# SPDX-License-Identifier: Apache-2.0
"""Raw frames as arrays: a view of their bytes, whatever their rows' padding and byte order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.types import Frame


def raw_array(frame: Frame, dtype: np.dtype[Any], channels: int = 1) -> NDArray[Any]:
    """A raw frame's pixels (h, w), or (h, w, channels) for more than one, as a view of its bytes.

    Rows may be padded to `frame.step` bytes; the last row may end without its padding.

    Raises:
        InputError: if the frame's size, step and bytes do not fit each other.
    """
    dtype = dtype.newbyteorder(">" if frame.big_endian else "<")
    row_bytes = frame.width * channels * dtype.itemsize
    step = frame.step or row_bytes
    if frame.width < 1 or frame.height < 1 or step < row_bytes:
        raise InputError(
            f"a {frame.encoding} frame says {frame.width} x {frame.height} pixels in rows of "
            f"{frame.step} bytes; expected at least 1 x 1 and rows of {row_bytes} bytes or more"
        )
    needed = step * (frame.height - 1) + row_bytes
    if len(frame.data) < needed:
        raise InputError(
            f"a {frame.encoding} frame of {frame.width} x {frame.height} pixels in rows of {step} "
            f"bytes has {len(frame.data)} bytes, expected {needed}"
        )
    shape: tuple[int, ...] = (frame.height, frame.width)
    strides: tuple[int, ...] = (step, channels * dtype.itemsize)
    if channels > 1:
        shape, strides = (*shape, channels), (*strides, dtype.itemsize)
    pixels: NDArray[Any] = np.ndarray(shape, dtype, frame.data, 0, strides)
    return pixels
