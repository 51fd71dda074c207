# SPDX-License-Identifier: Apache-2.0
"""Depth pictures of compressed_depth_image_transport: a header, then a PNG file or RVL data.

Integer depth ("16UC1") is packed as it is. Depth in metres ("32FC1") is quantised to 16 bits of
inverse depth first: depth = a / (count - b), 0 is no measurement; a and b are in the header.
RVL is the run-length code of A. Wilson, "Fast Lossless Depth Image Compression" (ISS 2017): the
numbers of zero and of other pixels by turns, the others as differences, all as groups of nibbles of
three bits each.
"""

from __future__ import annotations

import io
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from sensebind.sources.messages.wire import DecodeError
from sensebind.types import Frame

PIXEL_LIMIT = 1 << 24
"""Most pixels that are decoded; depth cameras have a few million."""

_HEADER = Struct("<iff")  # ConfigHeader: kind of quantisation, a, b
_RVL_SIZE = Struct("<ii")  # columns and rows
_PNG_SIZE = Struct(">8x4x4sII")  # magic, length and name of the first chunk, columns and rows
_MORE = 8  # bit of a nibble that says the number goes on in the next one
_NIBBLES_OF_A_NUMBER = 10  # 30 bits; pixels have 16, runs at most 24

Counts = NDArray[np.uint16]


def depth_frame(layout: str, packed: memoryview) -> Frame:
    """The frame in a "compressedDepth" picture.

    Args:
        layout: the message's format, for example "32FC1; compressedDepth png".
        packed: header and data.

    Raises:
        DecodeError: if it is damaged or packed in another way.
    """
    if len(packed) < _HEADER.size:
        raise DecodeError("malformed message")
    _, a, b = _HEADER.unpack_from(packed)
    data = packed[_HEADER.size :]
    in_metres = layout.startswith("32FC1")
    if layout.endswith("rvl"):
        counts = _rvl_picture(data)
    elif bytes(data[:8]) != b"\x89PNG\r\n\x1a\n":
        raise DecodeError("compressedDepth of neither PNG nor RVL data")
    elif in_metres:
        counts = _png_picture(data)
    else:
        return Frame(data, "png")
    height, width = counts.shape
    if not in_metres:
        return Frame(counts.tobytes(), "16UC1", width, height, 2 * width)
    metres = _metres(counts, a, b)
    return Frame(metres.tobytes(), "32FC1", width, height, 4 * width)


def _metres(counts: Counts, a: float, b: float) -> NDArray[np.float32]:
    """Depth from quantised inverse depth; not a number where nothing was measured."""
    with np.errstate(all="ignore"):
        metres: NDArray[np.float32] = np.float32(a) / (counts - np.float32(b))
    metres[counts == 0] = np.nan
    return metres


def _png_picture(data: memoryview) -> Counts:
    """The 16-bit grey pixels (rows, columns) of a PNG file."""
    from PIL import Image, UnidentifiedImageError

    if len(data) < _PNG_SIZE.size:
        raise DecodeError("damaged PNG file")
    _, width, height = _PNG_SIZE.unpack_from(data)
    _check_size(width, height)
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.mode not in ("I;16", "I"):
                raise DecodeError("compressedDepth PNG file without 16-bit pixels")
            return np.array(image).astype(np.uint16)
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError):
        raise DecodeError("damaged PNG file") from None


def _rvl_picture(data: memoryview) -> Counts:
    """The pixels (rows, columns) of RVL data behind its size."""
    if len(data) < _RVL_SIZE.size:
        raise DecodeError("malformed message")
    width, height = _RVL_SIZE.unpack_from(data)
    _check_size(width, height)
    return unpacked_rvl(data[_RVL_SIZE.size :], width * height).reshape(height, width)


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1 or width * height > PIXEL_LIMIT:
        raise DecodeError("impossible size of a depth picture")


def unpacked_rvl(data: bytes | memoryview, count: int) -> Counts:
    """The uint16 (count,) pixels of RVL data.

    Raises:
        DecodeError: if the data end early or hold more pixels than that.
    """
    numbers = _rvl_numbers(data)
    places: list[NDArray[np.intp]] = []
    kept: list[NDArray[np.int64]] = []
    pixel = number = 0
    while pixel < count:
        if number + 2 > len(numbers):
            raise DecodeError("damaged RVL data")
        zeros, others = int(numbers[number]), int(numbers[number + 1])
        begin = number + 2
        number = begin + others
        pixel += zeros
        if number > len(numbers) or pixel + others > count:
            raise DecodeError("damaged RVL data")
        places.append(np.arange(pixel, pixel + others))
        kept.append(numbers[begin:number])
        pixel += others
    coded = np.concatenate(kept)
    pixels = np.zeros(count, np.uint16)
    # Differences are folded so that small ones of either sign are small numbers: 0 -1 1 -2 2 …
    pixels[np.concatenate(places)] = np.cumsum((coded >> 1) ^ -(coded & 1)) & 0xFFFF
    return pixels


def _rvl_numbers(data: bytes | memoryview) -> NDArray[np.int64]:
    """All numbers of RVL data; those of too many nibbles are larger than any count of pixels."""
    whole = len(data) // 4 * 4
    octets = np.frombuffer(data[:whole], "<u4").byteswap().view(np.uint8)
    nibbles = np.empty(2 * len(octets), np.int64)
    nibbles[0::2], nibbles[1::2] = octets >> 4, octets & 15
    ends = np.flatnonzero(nibbles < _MORE)
    if not len(ends):
        return np.empty(0, np.int64)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    used = nibbles[: ends[-1] + 1] & (_MORE - 1)
    place = np.arange(len(used)) - np.repeat(starts, lengths)
    numbers = np.add.reduceat(used << np.minimum(3 * place, 30), starts)
    numbers[lengths > _NIBBLES_OF_A_NUMBER] = 1 << 40
    return numbers
