# SPDX-License-Identifier: Apache-2.0
"""Data at hand to windows, for encoding without a recording or a stream."""

from __future__ import annotations

from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import Image

from sensebind.calibration import UNCALIBRATED, Correction
from sensebind.config import StreamConfig
from sensebind.cutting import cut_blocks
from sensebind.errors import InputError
from sensebind.grid import NS_PER_S
from sensebind.specs import ImuSpec
from sensebind.types import Frame, Modality, SampleBlock, UniformBlock, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.calibration import StreamCalibration
    from sensebind.cutting import TimedBlock
    from sensebind.specs import EncoderSpec

_STREAM = "one-shot"
MOST_CHANNELS = 64
"""More are a waveform the wrong way round."""
_PNG_MAGIC = b"\x89PNG"


def one_shot_windows(
    modality: Modality,
    spec: EncoderSpec,
    data: object,
    rate_hz: float | None,
    stamps_ns: NDArray[np.int64] | None,
    calibration: StreamCalibration = UNCALIBRATED,
) -> list[Window]:
    """Cut data into at least one window of `modality`; `Bundle.encode` says what data may be.

    Raises:
        InputError: naming what cannot be used.
    """
    if modality is Modality.IMU:
        values = _imu_values(data)
        stamps = _imu_stamps(len(values), rate_hz, stamps_ns)
        _refuse_unusable(stamps, values, spec)
        return _block_windows(spec, modality, SampleBlock(_STREAM, stamps, values), calibration)
    if modality is Modality.AUDIO and stamps_ns is None:
        return _block_windows(spec, modality, _waveform(data, rate_hz), calibration)
    if rate_hz is not None or stamps_ns is not None:
        raise InputError(
            f"rate_hz and stamps_ns mean nothing for {modality.value!r}; leave them out"
        )
    pictures = data if isinstance(data, (list, tuple)) else [data]
    if not pictures:
        raise InputError("no pictures were given, expected at least one")
    wrap = frame_of_picture if modality is Modality.VISION else frame_of_counts
    return [_picture_window(wrap(picture)) for picture in pictures]


def frame_of_picture(picture: object) -> Frame:
    """Wrap a picture as a frame.

    Args:
        picture: uint8 (h, w, 3) RGB or (h, w) grey, a Pillow image, a path, or the bytes of a JPEG
            or PNG file.

    Raises:
        InputError: if it is none of these or the file cannot be read.
    """
    if isinstance(picture, (str, PathLike, bytes, bytearray, memoryview)):
        return _frame_of_file(picture)
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


def frame_of_counts(picture: object) -> Frame:
    """Wrap a depth or thermal picture as a frame.

    Args:
        picture: uint16 or float32 (h, w) counts, a Pillow image of such, a path, or the bytes of a
            PNG file; what `frame_of_picture` takes of 8 bits is taken as well.

    Raises:
        InputError: if it is none of these or the file cannot be read.
    """
    if isinstance(picture, Image.Image) and picture.mode.startswith(("I", "F")):
        picture = np.asarray(picture, dtype=np.float32 if picture.mode == "F" else np.uint16)
    if not isinstance(picture, np.ndarray) or picture.dtype == np.uint8:
        return frame_of_picture(picture)
    native = picture.dtype.newbyteorder("=")
    if native not in (np.uint16, np.float32) or picture.ndim != 2:
        raise InputError(
            f"a picture is {picture.dtype} {picture.shape}, expected uint16 or float32 (h, w)"
        )
    height, width = picture.shape
    data = picture.astype(native.newbyteorder("<")).tobytes()
    return Frame(data, "16UC1" if native == np.uint16 else "32FC1", width, height)


def _frame_of_file(content: str | PathLike[str] | bytes | bytearray | memoryview) -> Frame:
    data = _read(Path(content)) if isinstance(content, (str, PathLike)) else bytes(content)
    return Frame(data, "png" if data.startswith(_PNG_MAGIC) else "jpeg")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the picture {path}: {error.strerror}") from None


def _picture_window(frame: Frame) -> Window:
    nothing = np.empty(0, dtype=np.int64)
    return Window(_STREAM, 0, 0, 0, 0, 1.0, nothing, np.empty((0, 0)), (frame,))


def _block_windows(
    spec: EncoderSpec, modality: Modality, block: TimedBlock, calibration: StreamCalibration
) -> list[Window]:
    """Windows that begin at the first sample and every hop after it, while samples last."""
    block = cast("TimedBlock", Correction(calibration).apply(block))
    cut = cut_blocks(spec, StreamConfig(modality=modality), [block], block.first_ns)
    if not cut.windows:
        assert spec.window is not None
        raise InputError(
            f"{len(block.values)} {modality} samples do not fill the bundle's window of "
            f"{spec.window.length_s:g} s; give more"
        )
    return cut.windows


def _waveform(data: object, rate_hz: float | None) -> UniformBlock:
    if rate_hz is None:
        raise InputError("give rate_hz with audio data: its samples per second")
    if not isinstance(data, np.ndarray) or data.dtype not in (np.float32, np.float64, np.int16):
        found = data.dtype if isinstance(data, np.ndarray) else type(data).__name__
        raise InputError(
            f"audio data is {found}, expected a NumPy array of float32, float64 (full scale 1) or "
            "int16"
        )
    if data.ndim not in (1, 2) or (data.ndim == 2 and not 1 <= data.shape[1] <= MOST_CHANNELS):
        raise InputError(
            f"audio data has shape {data.shape}, expected (n,) or (n, channels) with at most "
            f"{MOST_CHANNELS} channels"
        )
    scale = np.float32(1 / 32768) if data.dtype == np.int16 else np.float32(1)
    values = (data[:, np.newaxis] if data.ndim == 1 else data).astype(np.float32) * scale
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if bad.size:
        raise InputError(
            f"audio sample {bad[0]} is {values[bad[0]].tolist()}, expected finite numbers; "
            "replace such samples"
        )
    return UniformBlock(_STREAM, 0, float(rate_hz), values)


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


def _refuse_unusable(
    stamps: NDArray[np.int64], values: NDArray[np.float64], spec: EncoderSpec
) -> None:
    """Name the first row that a stream would count and leave out; data at hand can be mended."""
    assert isinstance(spec.preprocess, ImuSpec)
    limit_s = spec.preprocess.gap_limit_s
    steps = np.diff(stamps)
    if steps.size and steps.min() <= 0:
        row = int(steps.argmin()) + 1
        raise InputError(
            f"IMU stamps must rise: row {row} has {stamps[row]} ns after {stamps[row - 1]} ns; "
            "sort the samples and drop duplicates"
        )
    if steps.size and steps.max() > limit_s * NS_PER_S:
        row = int(steps.argmax()) + 1
        raise InputError(
            f"IMU samples pause for {steps[row - 1] / NS_PER_S:g} s before row {row}, the bundle "
            f"bridges at most {limit_s:g} s; encode the parts one by one"
        )
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise InputError(
            f"IMU value {spec.preprocess.channels[column]} of row {row} is {values[row, column]}, "
            "expected a finite number; drop such samples"
        )
