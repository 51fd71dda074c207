# SPDX-License-Identifier: Apache-2.0
"""A look at a depth frame: some of its distances in metres, whatever its encoding."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from sensebind.sources.messages.compressed_depth import PIXEL_LIMIT
from sensebind.units import METRES_PER_COUNT, METRES_PER_UNIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.config import StreamConfig
    from sensebind.types import Frame

    Values = NDArray[np.float64]

_DTYPES = {"16UC1": "u2", "mono16": "u2", "32FC1": "f4"}
_ROWS = 64


def depth_samples(frame: Frame, config: StreamConfig) -> Values | None:
    """Distances in metres of up to 64 rows of a frame; None if it cannot be decoded.

    The unit is the stream's `scale` or `unit`, else the frame's own, else the convention's.
    """
    raw = frame.encoding != "png"
    counts = _raw_rows(frame, config.format or frame.encoding) if raw else _file_rows(frame)
    if counts is None:
        return None
    told = config.scale or METRES_PER_UNIT.get(config.unit or "") or frame.scale
    scale = told or METRES_PER_COUNT[counts.dtype.kind]
    return counts.astype(np.float64).ravel() * scale


def _raw_rows(frame: Frame, encoding: str) -> NDArray[np.generic] | None:
    dtype = _DTYPES.get(encoding)
    if dtype is None or not frame.width or not frame.height:
        return None
    order = ">" if frame.big_endian else "<"
    row_bytes = frame.width * np.dtype(dtype).itemsize
    step = frame.step or row_bytes
    if step < row_bytes or len(frame.data) < step * frame.height:
        return None
    octets = np.frombuffer(frame.data, np.uint8, step * frame.height).reshape(frame.height, step)
    some = octets[:: max(1, frame.height // _ROWS), :row_bytes]
    return np.ascontiguousarray(some).view(order + dtype)


def _file_rows(frame: Frame) -> NDArray[np.generic] | None:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(frame.data), formats=("PNG",)) as image:
            if image.width * image.height > PIXEL_LIMIT or not image.mode.startswith("I"):
                return None
            return np.asarray(image)[:: max(1, image.height // _ROWS)]
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
