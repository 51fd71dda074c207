# SPDX-License-Identifier: Apache-2.0
"""A look at a depth frame: some of its distances in metres, whatever its encoding."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from sensebind.sources.messages.compressed_depth import PIXEL_LIMIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.config import StreamConfig
    from sensebind.types import Frame

    Values = NDArray[np.float64]

_DTYPES = {"16UC1": "u2", "mono16": "u2", "32FC1": "f4"}
_METRES = {"m": 1.0, "cm": 1e-2, "mm": 1e-3}
_ROWS = 64


def depth_samples(frame: Frame, config: StreamConfig) -> Values | None:
    """Distances in metres of up to 64 rows of a frame; None if it cannot be decoded.

    The unit is the stream's `scale` or `unit`, else the frame's own, else the convention's.
    """
    encoding = config.format or frame.encoding
    counts = _file_rows(frame) if frame.encoding == "png" else _raw_rows(frame, encoding)
    if counts is None:
        return None
    conventional = 1.0 if encoding == "32FC1" else 1e-3  # REP 118
    scale = config.scale or _METRES.get(config.unit or "") or frame.scale or conventional
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
