# SPDX-License-Identifier: Apache-2.0
"""Depth pictures as a calibrated camera would have delivered them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.errors import InputError
from sensebind.preprocess import _depth_calibration_kernels as kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.calibration import StreamCalibration

_FLOATS = np.finfo(np.float32)


def calibrated_depth(
    raw: NDArray[Any], scale: float, calibration: StreamCalibration
) -> NDArray[np.float32]:
    """Depth in metres, 0 where nothing was measured.

    Args:
        raw: uint16 or float32 (h, w), native and contiguous, read-only.
        scale: metres per count.
        calibration: of the stream, with a section of depth.

    Returns:
        float32 (h, w).

    Raises:
        InputError: if the map of invalid pixels is of another size.
    """
    depth, invalid = calibration.depth, calibration.invalid
    assert depth is not None
    if invalid is None:
        invalid = _none_invalid(raw.shape)
    if invalid.shape != raw.shape:
        raise InputError(
            f"a depth frame has {raw.shape[1]} x {raw.shape[0]} pixels, but the calibration's map "
            f"of invalid ones has {invalid.shape[1]} x {invalid.shape[0]}; set the camera to that "
            "size, or calibrate it at this one"
        )
    out = np.empty(raw.shape, np.float32)
    kernels.calibrate(
        raw,
        np.float32(scale * depth.scale),
        np.float32(depth.offset_m),
        np.float32(max(depth.min_range_m or 0.0, float(_FLOATS.tiny))),
        np.float32(depth.max_range_m or _FLOATS.max),
        invalid,
        out,
    )
    return out


@lru_cache(maxsize=4)
def _none_invalid(shape: tuple[int, int]) -> NDArray[np.bool_]:
    invalid = np.zeros(shape, np.bool_)
    invalid.flags.writeable = False
    return invalid
