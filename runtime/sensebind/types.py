# SPDX-License-Identifier: Apache-2.0
"""The nouns of SenseBind: modalities, blocks, windows and embeddings.

All stamps are int64 nanoseconds of acquisition in the pipeline's reference clock (epoch of the
recording's or robot's clock). Values only; no behaviour beyond small derived properties.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Features = dict[str, "NDArray[Any]"]
"""Model input tensors by input name, without the batch axis."""


class Modality(str, Enum):
    """A sense; the value is the name used in bundles, records and on the command line."""

    VISION = "vision"
    TEXT = "text"
    AUDIO = "audio"
    DEPTH = "depth"
    THERMAL = "thermal"
    IMU = "imu"

    def __str__(self) -> str:
        return self.value


class Fused(str, Enum):
    """What is made of the embeddings of several modalities; the value is the name in records."""

    JOINT = "joint"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Frame:
    """One camera picture as its driver delivered it, not yet decoded.

    Attributes:
        data: pixel rows (raw encodings) or a compressed file (encodings "jpeg", "png").
        encoding: ROS image encoding ("rgb8", "16UC1", …) or "jpeg"/"png".
        width: pixels per row; 0 if only the compressed file knows.
        height: number of rows; 0 if only the compressed file knows.
        step: bytes per row of a raw encoding; 0 for compressed ones.
        big_endian: byte order of raw 16- and 32-bit pixels.
        scale: unit per count of integer pixels where the sensor told it (depth: metres, thermal:
            kelvin); None takes the encoding's convention (REP 118: 16UC1 in millimetres).
        focal_px: focal length along x in pixels of this frame; None if no intrinsics are known.
    """

    data: bytes | memoryview
    encoding: str
    width: int = 0
    height: int = 0
    step: int = 0
    big_endian: bool = False
    scale: float | None = None
    focal_px: float | None = None


@dataclass(frozen=True, slots=True)
class SampleBlock:
    """Irregularly stamped samples (IMU): one stamp per row.

    Attributes:
        stream: name of the stream (topic or device).
        stamps_ns: int64 (n,), acquisition stamps in order of arrival.
        values: float64 (n, channels); IMU: ax ay az in m/s², gx gy gz in rad/s, body axes FLU.
    """

    stream: str
    stamps_ns: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(self.stamps_ns)

    @property
    def first_ns(self) -> int:
        """Stamp of the first sample; there must be one."""
        return int(self.stamps_ns[0])


@dataclass(frozen=True, slots=True)
class UniformBlock:
    """Contiguous samples at a constant rate (audio).

    Attributes:
        stream: name of the stream.
        stamp_ns: acquisition stamp of the first sample.
        rate_hz: nominal sample rate.
        values: float32 (n, channels), full scale ±1.
        clock_rate_hz: rate at which samples really come by the clock of the stamps, as a clock
            model measured it; 0 takes the nominal one. It places samples in time, it does not
            change them.
    """

    stream: str
    stamp_ns: int
    rate_hz: float
    values: NDArray[np.float32]
    clock_rate_hz: float = 0.0

    @property
    def count(self) -> int:
        """Number of samples, of each channel."""
        return len(self.values)

    @property
    def first_ns(self) -> int:
        """Stamp of the first sample."""
        return self.stamp_ns


@dataclass(frozen=True, slots=True)
class FrameBlock:
    """One frame of a camera stream with its acquisition stamp."""

    stream: str
    stamp_ns: int
    frame: Frame

    @property
    def count(self) -> int:
        """Number of samples: a frame is one."""
        return 1

    @property
    def first_ns(self) -> int:
        """Stamp of the frame."""
        return self.stamp_ns


Block = SampleBlock | UniformBlock | FrameBlock


@dataclass(frozen=True, slots=True)
class Break:
    """Samples of a stream were lost between its blocks before and after this.

    No window holds samples of both sides, and none is closed early because of it: what was open is
    given up. So a recording that kept the lost samples gives the same windows, and more.
    """

    stream: str


Delivery = Block | Break
"""What a pipeline takes."""


@dataclass(frozen=True, slots=True)
class Window:
    """A span of one stream that ends at a grid instant.

    Attributes:
        stream: name of the stream.
        grid_ns: kH, the grid instant the window ends at; for `trigger="frame"` the frame's stamp.
        start_ns: stamp where the window's true span begins.
        end_ns: stamp where it ends (exclusive).
        stamp_ns: stamp of the newest sample inside the span.
        coverage: share of the span backed by measured samples, 0..1.
        stamps_ns: int64 (n,) stamps of `values`' rows (irregular streams), else empty.
        values: float64 (n, channels) samples with the support the preprocessor asked for
            (irregular), float32 (n, channels) exactly the span (uniform), else empty.
        frames: the chosen frames, oldest first (frame streams).
        segment: number of the segment (irregular and uniform streams), unlike any other's in this
            process; -1 where there is none, or where `values` are no longer the segment's.
        start_index: index in the segment of the first row of `values`. Windows of one segment
            agree where they overlap, which lets their features be shared.
    """

    stream: str
    grid_ns: int
    start_ns: int
    end_ns: int
    stamp_ns: int
    coverage: float
    stamps_ns: NDArray[np.int64]
    values: NDArray[np.float64] | NDArray[np.float32]
    frames: tuple[Frame, ...] = ()
    segment: int = -1
    start_index: int = 0


@dataclass(frozen=True, slots=True)
class Embedding:
    """A unit vector in the bundle's space and what it was made from.

    Attributes:
        vector: float32 (dim,), L2 norm 1.
        valid_fraction: share of valid input pixels (frames), else 1.
        encoder_id: identity of the encoder and its preprocessing; equal ids give equal vectors.
        stream, modality, grid_ns, start_ns, end_ns, stamp_ns, coverage: those of the window.
    """

    stream: str
    modality: Modality | Fused
    grid_ns: int
    start_ns: int
    end_ns: int
    stamp_ns: int
    coverage: float
    valid_fraction: float
    encoder_id: str
    vector: NDArray[np.float32] = field(repr=False)
