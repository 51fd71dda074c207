# SPDX-License-Identifier: Apache-2.0
"""Depth frames to features.

Definition. A pixel of count q is q * scale metres deep. It is measured if that is a finite number
above 0 and, with `out_of_range` "hole", inside `range_m` (both ends belong to it, compared in
float32 counts); with "clip", depths outside become the nearer end. All else is a hole: 0 and what
REP 117 and 118 name (NaN, -Inf too near, +Inf too far).

Its value is the depth in metres ("metric") or baseline_m * f / depth ("disparity"). f is the focal
length in pixels of the frame or, with `focal_of` "features", in pixels of the resized picture:
f * short side after / short side before, which makes the value independent of the camera's
resolution.

The short side becomes `resize_to` (`size` if not given) and the middle size x size is kept, by the
rules of `sensebind.preprocess.frame_fit`; only source pixels under the crop are read. Output pixel
i of a side lies at (i + 0.5) * source side / resized side - 0.5 of the source, held at the edges.

* "bilinear": the mean of the measured ones of the four neighbours under their bilinear weights, in
  the unit of the value (so disparities are averaged as disparities). Where these weigh less than
  `LEAST_WEIGHT` in all the output is a hole. No anti-aliasing: a mean over more neighbours would
  invent depths between the robot's hand and the wall behind it.
* "nearest": source pixel floor((i + 0.5) * source side / resized side), which is Pillow's.

A hole becomes `hole`, in the unit of the value. Features are (value - mean) / std, float32
[1, size, size]; several `frame_positions` give [F, 1, size, size], oldest first.

`valid_fraction` is the mean weight of measured pixels over the output (1 without holes), to four
decimals.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sensebind.calibration import UNCALIBRATED
from sensebind.errors import ConfigError, InputError
from sensebind.preprocess import _depth_kernels as kernels
from sensebind.preprocess.depth_calibration import calibrated_depth
from sensebind.preprocess.depth_geometry import bilinear_geometry, nearest_geometry
from sensebind.preprocess.frame_fit import FramesPreprocessor, check_crop
from sensebind.preprocess.grey_frames import grey_pixels
from sensebind.specs import DepthSpec
from sensebind.units import METRES_PER_COUNT, METRES_PER_UNIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.calibration import StreamCalibration
    from sensebind.config import StreamConfig
    from sensebind.specs import EncoderSpec
    from sensebind.types import Frame

LEAST_WEIGHT = 1e-3
"""Holes next to a measured pixel stay holes until the pixel weighs this much."""

_COUNTS = (1e-6, 1e12)
"""Ranges beyond are a wrong scale; inside, no product of two counts leaves float32."""


class _Transform(NamedTuple):
    """From counts to features; see the kernels."""

    bounds: NDArray[np.float32]
    gain: np.float32
    bias: np.float32
    hole: np.float32
    inverse: bool


def depth_features(
    depth: NDArray[Any],
    spec: DepthSpec,
    *,
    scale: float | None = None,
    focal_px: float | None = None,
    out: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float32], float]:
    """Make the features of one depth picture as this module's docstring defines.

    Args:
        depth: uint16 or float32 (h, w), of either byte order.
        spec: what the encoder wants.
        scale: metres per count; by REP 118 0.001 for uint16 and 1 for float32 if None.
        focal_px: focal length along x in pixels of `depth`; the spec's if None.
        out: float32 (1, size, size) to fill instead of a new array.

    Returns:
        The features, float32 (1, size, size) in C order, and the valid fraction, 0 to 1.

    Raises:
        InputError: for a wrong dtype or shape, an impossible scale or focal length, or a
            disparity without a focal length.
    """
    raw = _checked(depth)
    features = _output(out, spec.size)
    height, width = raw.shape
    short = check_crop(spec.size, spec.resize_to)
    chosen_scale = METRES_PER_COUNT[raw.dtype.kind] if scale is None else scale
    transform = _transform(spec, chosen_scale, focal_px, short / min(width, height))
    if spec.interpolation == "nearest":
        rows, columns = nearest_geometry(height, width, short, spec.size)
        measured: float = kernels.resize_nearest(raw, rows, columns, *transform, features[0])
    else:
        geometry = bilinear_geometry(height, width, short, spec.size)
        least = np.float32(LEAST_WEIGHT)
        bounds, gain, bias, hole, inverse = transform
        measured = kernels.resize_bilinear(
            raw, *geometry, bounds, gain, bias, hole, least, inverse, features[0]
        )
    return features, min(1.0, round(measured / spec.size**2, 4))


def _checked(depth: NDArray[Any]) -> NDArray[Any]:
    """Native, contiguous pixels; always the one array type that the kernels are compiled for."""
    if not isinstance(depth, np.ndarray):
        raise InputError(
            f"depth is a {type(depth).__name__}, expected an array uint16 or float32 (h, w)"
        )
    native = depth.dtype.newbyteorder("=")
    if native not in (np.uint16, np.float32) or depth.ndim != 2 or depth.size == 0:
        raise InputError(
            f"depth is {depth.dtype} {depth.shape}, expected uint16 or float32 (h, w) with at "
            "least one pixel"
        )
    raw: NDArray[Any] = np.ascontiguousarray(depth, dtype=native).view()
    # Message buffers are read-only and of any alignment; others are treated as if they were.
    raw.flags.writeable = False
    raw.flags.aligned = False
    return raw


def _output(out: NDArray[np.float32] | None, size: int) -> NDArray[np.float32]:
    if out is None:
        return np.empty((1, size, size), dtype=np.float32)
    if out.dtype != np.float32 or out.shape != (1, size, size) or not out.flags.c_contiguous:
        raise InputError(
            f"out is {out.dtype} {out.shape}, expected C-contiguous float32 (1, {size}, {size})"
        )
    return out


@lru_cache(maxsize=64)
def _transform(
    spec: DepthSpec, scale: float, focal_px: float | None, enlargement: float
) -> _Transform:
    low, high = spec.range_m
    if not low < high:
        raise InputError(
            f"the bundle's range_m is {low:g} to {high:g} m, expected a range; mend the bundle"
        )
    if not (np.isfinite(scale) and scale > 0):
        raise InputError(f"scale is {scale}, expected a positive number of metres per count")
    if low / scale < _COUNTS[0] or high / scale > _COUNTS[1]:
        raise InputError(
            f"at a scale of {scale:g} metres per count the bundle's range of {low:g} to {high:g} m "
            f"is {low / scale:g} to {high / scale:g} counts; scale is 0.001 for millimetres"
        )
    limits = (low / scale, high / scale)
    tiny, huge = np.finfo(np.float32).smallest_subnormal, np.finfo(np.float32).max
    measured = limits if spec.out_of_range == "hole" else (tiny, huge)
    bounds = np.array([*measured, *limits], dtype=np.float32)
    bias, hole = -spec.mean / spec.std, (spec.hole - spec.mean) / spec.std
    inverse = spec.representation == "disparity"
    gain = scale
    if inverse:
        focal = _focal(spec, focal_px) * (enlargement if spec.focal_of == "features" else 1.0)
        gain = spec.baseline_m * focal / scale
    return _Transform(
        bounds, np.float32(gain / spec.std), np.float32(bias), np.float32(hole), inverse
    )


def _focal(spec: DepthSpec, focal_px: float | None) -> float:
    focal = spec.focal_px if focal_px is None else focal_px
    if focal is None:
        raise InputError(
            "the encoder takes disparities, which need the camera's focal length, and neither the "
            "frame nor the bundle tells it; give fx of the depth camera: embed --focal PIXELS, "
            "replay --stream TOPIC=depth,focal=PIXELS, or focal_px of the stream in a configuration"
        )
    if not (np.isfinite(focal) and focal > 0):
        raise InputError(f"focal_px is {focal}, expected a positive number of pixels")
    return focal


class DepthPreprocessor(FramesPreprocessor):
    """Makes the features of depth windows as a DepthSpec says."""

    def __init__(
        self,
        spec: DepthSpec,
        *,
        scale: float | None = None,
        focal_px: float | None = None,
        pixel_format: str | None = None,
        input_name: str = "features",
        calibration: StreamCalibration = UNCALIBRATED,
    ) -> None:
        """Take what the stream's configuration says in place of what its frames say.

        Args:
            spec: what the encoder wants.
            scale: metres per count.
            focal_px: focal length along x in pixels of the frame.
            pixel_format: encoding of raw frames.
            input_name: name of the graph's input.
            calibration: of the camera. Its focal length takes the place of the frames', not of the
                configuration's.

        Raises:
            InputError: if the spec crops more than it resizes to.
        """
        check_crop(spec.size, spec.resize_to)
        super().__init__("depth", spec.frame_positions, pixel_format, input_name)
        self._spec = spec
        self._scale = scale
        measured_px = calibration.depth.focal_px if calibration.depth else None
        self._focal_px = measured_px if focal_px is None else focal_px
        self._calibration = calibration

    def _features(self, frame: Frame) -> tuple[NDArray[np.float32], float]:
        pixels, scale = depth_counts(frame, self._scale)
        if self._calibration.depth is not None:
            pixels, scale = calibrated_depth(_checked(pixels), scale, self._calibration), 1.0
        return depth_features(
            pixels,
            self._spec,
            scale=scale,
            focal_px=frame.focal_px if self._focal_px is None else self._focal_px,
        )


def depth_counts(frame: Frame, told: float | None) -> tuple[NDArray[Any], float]:
    """What a depth frame holds.

    Args:
        frame: of a depth stream.
        told: metres per count as the stream's configuration has it (`stream_scale`), if it does.

    Returns:
        Pixels (h, w), uint16 or float32 of any byte order, and metres per count: what was told,
        else the frame's own, else the convention's.

    Raises:
        InputError: if the frame holds no depth.
    """
    pixels = grey_pixels(frame)
    if pixels.dtype == np.uint8:
        raise InputError(
            f"a {frame.encoding} frame has 8-bit pixels, which hold no depth; expected 16UC1, "
            "mono16, 32FC1 or a 16-bit grey PNG file"
        )
    scale = frame.scale if told is None else told
    return pixels, METRES_PER_COUNT[pixels.dtype.kind] if scale is None else scale


def make(
    spec: EncoderSpec, stream: StreamConfig | None, calibration: StreamCalibration
) -> DepthPreprocessor:
    """Make the preprocessor of a depth encoder; the stream's settings go before its frames'."""
    assert isinstance(spec.preprocess, DepthSpec)
    return DepthPreprocessor(
        spec.preprocess,
        scale=stream_scale(stream),
        focal_px=stream.focal_px if stream else None,
        pixel_format=stream.format if stream else None,
        input_name=spec.inputs[0].name,
        calibration=calibration,
    )


def stream_scale(stream: StreamConfig | None) -> float | None:
    """Metres per count that a stream's scale or unit says.

    Raises:
        ConfigError: if it says both, or the unit is none of depth.
    """
    if stream is None or stream.unit is None:
        return stream.scale if stream else None
    if stream.scale is not None:
        raise ConfigError(
            f"a depth stream has scale={stream.scale:g} and unit={stream.unit!r}; give one of them"
        )
    if stream.unit not in METRES_PER_UNIT:
        raise ConfigError(
            f"unit={stream.unit!r} is no unit of depth; expected one of "
            f"{', '.join(METRES_PER_UNIT)}, or scale=METRES_PER_COUNT"
        )
    return METRES_PER_UNIT[stream.unit]
