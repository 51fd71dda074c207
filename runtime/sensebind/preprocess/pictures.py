# SPDX-License-Identifier: Apache-2.0
"""Frames to RGB pictures, by Pillow's decoders."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from sensebind.errors import InputError
from sensebind.preprocess.camera_pixels import ENCODINGS, camera_pixels
from sensebind.preprocess.frame_fit import middle, scaled_size
from sensebind.preprocess.raw_pixels import raw_array

if TYPE_CHECKING:
    from sensebind.types import Frame

PIXEL_LIMIT = 50_000_000
"""Largest picture that is decoded (7000 x 7000). A compressed file of a few kilobytes can claim
far more; the claim is checked before any memory is taken for it."""

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
"""Pillow's filters by the name of a manifest."""

_COMPRESSED = ("jpeg", "png")
_RAW_MODES = {
    "rgb8": (3, "RGB", "RGB"),
    "bgr8": (3, "RGB", "BGR"),
    "rgba8": (4, "RGB", "RGBX"),
    "bgra8": (4, "RGB", "BGRX"),
    "mono8": (1, "L", "L"),
    "8UC1": (1, "L", "L"),
    "8UC3": (3, "RGB", "BGR"),
}
"""ROS image encoding (sensor_msgs/image_encodings.hpp) to bytes per pixel and Pillow's mode and
raw mode; X is a byte that is skipped. 8UC3 is bgr8 to OpenCV and so to cv_bridge."""


def decode_frame(frame: Frame) -> Image.Image:
    """Decode a frame to a picture of mode RGB. Alpha is dropped, grey repeated.

    Raises:
        InputError: naming the encoding, size or defect, and what can be decoded.
    """
    if frame.encoding in _COMPRESSED:
        return _decode_compressed(frame)
    if frame.encoding in _RAW_MODES:
        return _decode_raw(frame)
    if frame.encoding in ENCODINGS:
        return _as_rgb(Image.fromarray(camera_pixels(frame)))
    known = ", ".join([*_COMPRESSED, *_RAW_MODES, *ENCODINGS])
    raise InputError(
        f"image encoding {frame.encoding!r} cannot be used as a colour picture; "
        f"this version decodes {known}"
    )


def fit_short_side(
    image: Image.Image, short: int, size: int, resample: Image.Resampling
) -> Image.Image:
    """Resize the short side to `short` pixels and keep the middle size x size.

    Raises:
        InputError: if the picture is so long that it would be resized to too many pixels.
    """
    width, height = scaled_size(image.width, image.height, short)
    if width * height > PIXEL_LIMIT:
        raise InputError(
            f"a picture of {image.width} x {image.height} pixels would be resized to {width} x "
            f"{height}; at most {PIXEL_LIMIT} pixels are made"
        )
    left, top = middle(width, size), middle(height, size)
    resized = image.resize((width, height), resample)
    return resized.crop((left, top, left + size, top + size))


def open_picture(frame: Frame) -> Image.Image:
    """Decode a compressed frame, a JPEG or PNG file, upright and in the mode it has.

    Raises:
        InputError: if it is neither, damaged, or claims more pixels than are decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(frame.data), formats=("JPEG", "PNG")) as image:
                _check_claims(image)
                image.load()
                ImageOps.exif_transpose(image, in_place=True)
                picture: Image.Image = image
                return picture
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise InputError(f"{error}; at most {PIXEL_LIMIT} pixels are decoded") from None
    except UnidentifiedImageError:
        raise InputError(
            f"a {frame.encoding} frame of {len(frame.data)} bytes is neither JPEG nor PNG"
        ) from None
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(
            f"a {frame.encoding} frame of {len(frame.data)} bytes is damaged: {error}"
        ) from None


def _check_claims(image: Image.Image) -> None:
    if image.width * image.height > PIXEL_LIMIT:
        raise InputError(
            f"a picture claims {image.width} x {image.height} pixels; "
            f"at most {PIXEL_LIMIT} are decoded"
        )


def _decode_compressed(frame: Frame) -> Image.Image:
    image = open_picture(frame)
    if image.mode.startswith(("I", "F")):
        raise InputError(
            f"a picture has pixels of mode {image.mode!r} (16 or 32 bits), expected 8-bit colour "
            "or grey; depth images belong to the depth modality"
        )
    return _as_rgb(image)


def _decode_raw(frame: Frame) -> Image.Image:
    channels, mode, raw_mode = _RAW_MODES[frame.encoding]
    # Checks what the frame says of itself; Pillow reads the rows.
    raw_array(frame, np.dtype(np.uint8), channels)
    step = frame.step or frame.width * channels
    data = np.frombuffer(frame.data, dtype=np.uint8)
    size = (frame.width, frame.height)
    return _as_rgb(Image.frombytes(mode, size, data, "raw", raw_mode, step, 1))


def _as_rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")
