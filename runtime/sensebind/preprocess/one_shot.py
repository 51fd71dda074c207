# SPDX-License-Identifier: Apache-2.0
"""Data at hand to windows, for encoding without a recording or a stream."""

from __future__ import annotations

from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sensebind.errors import InputError
from sensebind.grid import NS_PER_S, nanoseconds
from sensebind.specs import ImuSpec
from sensebind.types import Frame, Modality, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.specs import EncoderSpec

_STREAM = "one-shot"
_PNG_MAGIC = b"\x89PNG"


def one_shot_windows(
    modality: Modality,
    spec: EncoderSpec,
    data: object,
    rate_hz: float | None,
    stamps_ns: NDArray[np.int64] | None,
) -> list[Window]:
    """Cut data into at least one window of `modality`; `Bundle.encode` says what data may be.

    Raises:
        InputError: naming what cannot be used.
    """
    if modality is Modality.IMU:
        return _imu_windows(spec, data, rate_hz, stamps_ns)
    if rate_hz is not None or stamps_ns is not None:
        raise InputError(
            f"rate_hz and stamps_ns mean nothing for {modality.value!r}; leave them out"
        )
    pictures = data if isinstance(data, (list, tuple)) else [data]
    if not pictures:
        raise InputError("no pictures were given, expected at least one")
    return [_picture_window(frame_of_picture(picture)) for picture in pictures]


def frame_of_picture(picture: object) -> Frame:
    """Wrap a picture as a frame.

    Args:
        picture: uint8 (h, w, 3) RGB or (h, w) grey, a Pillow image, a path, or the bytes of a JPEG
            or PNG file.

    Raises:
        InputError: if it is none of these or the file cannot be read.
    """
    if isinstance(picture, (str, PathLike)):
        picture = _read(Path(picture))
    if isinstance(picture, (bytes, bytearray, memoryview)):
        data = bytes(picture)
        return Frame(data, "png" if data.startswith(_PNG_MAGIC) else "jpeg")
    if isinstance(picture, Image.Image):
        picture = np.asarray(picture.convert("RGB"))
    if not isinstance(picture, np.ndarray):
        raise InputError(
            f"a picture is a {type(picture).__name__}, expected a uint8 array, a Pillow image, a "
            "path, or the bytes of a JPEG or PNG file"
        )
    colour = picture.ndim == 3 and picture.shape[2] == 3
    if picture.dtype != np.uint8 or not (colour or picture.ndim == 2):
        raise InputError(
            f"a picture is {picture.dtype} {picture.shape}, expected uint8 (h, w, 3) RGB or (h, w) "
            "grey, values 0 to 255"
        )
    height, width = picture.shape[:2]
    step = width * (3 if colour else 1)
    return Frame(picture.tobytes(), "rgb8" if colour else "mono8", width, height, step)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the picture {path}: {error.strerror}") from None


def _picture_window(frame: Frame) -> Window:
    nothing = np.empty(0, dtype=np.int64)
    return Window(_STREAM, 0, 0, 0, 0, 1.0, nothing, np.empty((0, 0)), (frame,))


def _imu_windows(
    spec: EncoderSpec, data: object, rate_hz: float | None, stamps_ns: NDArray[np.int64] | None
) -> list[Window]:
    """Windows that begin at the first sample and every hop after it, while samples last."""
    values = _imu_values(data)
    stamps = _imu_stamps(len(values), rate_hz, stamps_ns)
    assert spec.window is not None
    assert isinstance(spec.preprocess, ImuSpec)
    _refuse_gaps(stamps, spec.preprocess.gap_limit_s)
    length_ns, hop_ns = nanoseconds(spec.window.length_s), nanoseconds(spec.window.hop_s)
    step_ns = round((stamps[-1] - stamps[0]) / max(len(stamps) - 1, 1))
    # The last sample stands for the interval after it; half of one more absorbs jitter.
    spare_ns = int(stamps[-1] - stamps[0]) + 3 * step_ns // 2 - length_ns
    if spare_ns < 0:
        raise InputError(
            f"{len(stamps)} IMU samples cover {(stamps[-1] - stamps[0] + step_ns) / NS_PER_S:g} s, "
            f"the bundle's window needs {spec.window.length_s:g} s"
        )
    first_end = int(stamps[0]) + length_ns
    ends = range(first_end, first_end + spare_ns + 1, hop_ns)
    return [_imu_window(end_ns, length_ns, stamps, values) for end_ns in ends]


def _imu_window(
    end_ns: int, length_ns: int, stamps: NDArray[np.int64], values: NDArray[np.float64]
) -> Window:
    newest_ns = int(stamps[np.searchsorted(stamps, end_ns) - 1])
    return Window(_STREAM, end_ns, end_ns - length_ns, end_ns, newest_ns, 1.0, stamps, values)


def _imu_values(data: object) -> NDArray[np.float64]:
    try:
        values: NDArray[np.float64] = np.array(data, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"IMU data is a {type(data).__name__}, expected numbers (n, 6): ax ay az in m/s², "
            "gx gy gz in rad/s"
        ) from None
    if values.ndim != 2 or values.shape[1] != 6 or len(values) == 0:
        raise InputError(
            f"IMU data has shape {values.shape}, expected (n, 6) with n at least 1: ax ay az in "
            "m/s², gx gy gz in rad/s"
        )
    return values


def _imu_stamps(
    count: int, rate_hz: float | None, stamps_ns: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    if (rate_hz is None) == (stamps_ns is None):
        raise InputError("give either rate_hz or stamps_ns with IMU data")
    if stamps_ns is not None:
        stamps = np.asarray(stamps_ns)
        if stamps.dtype != np.int64 or stamps.shape != (count,):
            raise InputError(
                f"stamps_ns is {stamps.dtype} {stamps.shape}, expected int64 ({count},), "
                "one per row"
            )
        return stamps
    assert rate_hz is not None
    if not (np.isfinite(rate_hz) and rate_hz > 0):
        raise InputError(f"rate_hz is {rate_hz}, expected a positive number of samples per second")
    period = NS_PER_S / Fraction(repr(float(rate_hz)))
    return np.array([round(i * period) for i in range(count)], dtype=np.int64)


def _refuse_gaps(stamps: NDArray[np.int64], gap_limit_s: float) -> None:
    steps = np.diff(stamps)
    if steps.size and steps.max() > gap_limit_s * NS_PER_S:
        row = int(steps.argmax()) + 1
        raise InputError(
            f"IMU samples pause for {steps[row - 1] / NS_PER_S:g} s before row {row}, the bundle "
            f"bridges at most {gap_limit_s:g} s; encode the parts one by one"
        )
