# SPDX-License-Identifier: Apache-2.0
"""Depth frames of one scene, summed up while they are read: its plane, noise, holes and edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.errors import InputError
from sensebind.preprocess.depth import depth_counts, stream_scale
from sensebind.types import FrameBlock
from sensebind_calibration.plane import FLAT, Camera, Plane, fit_plane

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from sensebind.config import StreamConfig
    from sensebind.types import Block, Frame

    Values = NDArray[np.float64]

FEWEST_FRAMES = 5
_MOST_FRAMES = 3000
_LEAST_FLAT = 0.8
_LARGEST_MOVE = 0.01
_JUMP = 0.1  # share of the depth between the sides of an edge
_BETWEEN = 0.2  # of a jump: a pixel this far from both its sides hangs in the air
_FARTHEST_M = 200.0
LEAST_FILLED = 0.8
"""Where less of the middle is measured, the camera is out of its range."""


class DepthView(NamedTuple):
    """A scene.

    Attributes:
        planes: of the frames, in order; none where too few pixels were measured.
        filled: share of the middle's pixels that were measured.
        noise_m: of a pixel from frame to frame, median over the middle; NaN if unknown.
        measured: int64 (h, w), frames in which each pixel was measured.
        frames: how many.
        edges, flying: pixels at edges of depth, and those of them that hang in the air.
        pixels: that were measured, over all frames.
        camera: focal length and centre that were used.
        begin_ns, end_ns: first and last stamp.
    """

    planes: tuple[Plane, ...]
    filled: float
    noise_m: float
    measured: NDArray[np.int64]
    frames: int
    edges: int
    flying: int
    pixels: int
    camera: Camera
    begin_ns: int
    end_ns: int

    def check_flat(self) -> None:
        """Refuse what is no wall at rest.

        Raises:
            InputError: telling what was seen, and what to do.
        """
        shares = np.median([plane.share for plane in self.planes])
        if shares < _LEAST_FLAT:
            raise InputError(
                f"the middle of the picture is no plane: {shares:.0%} of its pixels lie within "
                f"{FLAT:.0%} of one, expected at least {_LEAST_FLAT:.0%}; let the camera look at a "
                "bare wall that fills the middle of its picture"
            )
        distances = np.array([plane.distance_m for plane in self.planes])
        parts = np.array_split(distances, 3)
        first, last = float(np.median(parts[0])), float(np.median(parts[-1]))
        if abs(last / first - 1) > _LARGEST_MOVE:
            raise InputError(
                f"the wall is {first:.3f} m away at first and {last:.3f} m at last, expected a "
                f"change of less than {_LARGEST_MOVE:.0%}: the camera moved; put it on a tripod, "
                "or choose a part at rest (@FROM..TO)"
            )


def look(blocks: Iterable[Block], config: StreamConfig, camera: Camera | None) -> DepthView:
    """Sum up the frames of a scene.

    Args:
        blocks: of one depth stream.
        config: as the stream was declared.
        camera: of its frames; what the frames tell if None.

    Raises:
        InputError: if there are too few frames, they change their size, or hold no depth.
    """
    sums: _Sums | None = None
    for block in blocks:
        assert isinstance(block, FrameBlock)
        depth_m = metres(block.frame, config)
        if sums is None:
            known = camera or camera_of(block.frame, depth_m.shape, config)
            sums = _Sums(depth_m.shape, known.for_width(depth_m.shape[1]))
        if sums.frames < _MOST_FRAMES:
            sums.add(depth_m, block.stamp_ns)
    frames = 0 if sums is None else sums.frames
    if sums is None or frames < FEWEST_FRAMES:
        raise InputError(
            f"the recording has {frames} depth frames, expected at least {FEWEST_FRAMES}; three "
            "seconds of 30 frames each do"
        )
    return sums.view()


def metres(frame: Frame, config: StreamConfig) -> Values:
    """Depth in metres as a run reads it, float64 (h, w), NaN where nothing was measured.

    Raises:
        InputError: if the frame holds no depth, or the stream's unit is none of it.
    """
    counts, scale = depth_counts(frame, stream_scale(config))
    depth_m = counts.astype(np.float64) * scale
    depth_m[~(np.isfinite(depth_m) & (depth_m > 0))] = np.nan
    return depth_m


def camera_of(frame: Frame, shape: tuple[int, ...], config: StreamConfig) -> Camera:
    """What a frame tells of its camera: the focal length; the centre is the picture's middle."""
    focal_px = config.focal_px or frame.focal_px or 0.0
    return Camera(focal_px, (shape[1] - 1) / 2, (shape[0] - 1) / 2)


class _Sums:
    """What is kept of the frames."""

    def __init__(self, shape: tuple[int, ...], camera: Camera) -> None:
        height, width = shape
        self.frames = 0
        self._camera = camera
        self._middle = (
            slice(height // 4, height - height // 4),
            slice(width // 4, width - width // 4),
        )
        self._planes: list[Plane] = []
        self._measured = np.zeros(shape, np.int64)
        self._sum = np.zeros(shape)
        self._squares = np.zeros(shape)
        self._first: Values | None = None
        self._filled = 0.0
        self._edges = self._flying = self._pixels = 0
        self._begin_ns = self._end_ns = 0

    def add(self, depth_m: Values, stamp_ns: int) -> None:
        """Take a frame."""
        if depth_m.shape != self._measured.shape:
            raise InputError(
                f"the frames change their size from {self._measured.shape[::-1]} to "
                f"{depth_m.shape[::-1]} pixels; choose a part with one size"
            )
        if self._first is None:
            self._first, self._begin_ns = np.nan_to_num(depth_m), stamp_ns
        self.frames, self._end_ns = self.frames + 1, stamp_ns
        valid = np.isfinite(depth_m)
        self._measured += valid
        change = np.where(valid, depth_m - self._first, 0.0)
        self._sum += change
        self._squares += change**2
        middle = depth_m[self._middle]
        self._filled += float(np.isfinite(middle).mean())
        rows, columns = self._middle
        plane = fit_plane(middle, self._camera, columns.start, rows.start)
        if plane is not None:
            self._planes.append(plane)
        edges, flying = flying_pixels(depth_m)
        self._edges, self._flying = self._edges + edges, self._flying + flying
        self._pixels += int(valid.sum())

    def view(self) -> DepthView:
        """All of it."""
        always = self._measured[self._middle] == self.frames
        noise_m = float("nan")
        if always.any() and self.frames >= FEWEST_FRAMES:
            mean = self._sum[self._middle][always] / self.frames
            square = self._squares[self._middle][always] / self.frames - mean**2
            spread = np.maximum(square, 0) * self.frames / (self.frames - 1)
            noise_m = float(np.sqrt(np.median(spread)))
        if self._pixels and (typical := self._typical()) > _FARTHEST_M:
            raise InputError(
                f"the depth is {typical:.4g} m, expected less than {_FARTHEST_M:g} m: the unit is "
                "declared wrong; give --stream TOPIC=depth,unit=mm, or scale=METRES_PER_COUNT"
            )
        return DepthView(
            tuple(self._planes),
            self._filled / self.frames,
            noise_m,
            self._measured,
            self.frames,
            self._edges,
            self._flying,
            self._pixels,
            self._camera,
            self._begin_ns,
            self._end_ns,
        )

    def _typical(self) -> float:
        seen = self._measured > 0
        assert self._first is not None
        return float(np.median((self._first + self._sum / np.maximum(self._measured, 1))[seen]))


def flying_pixels(depth_m: Values) -> tuple[int, int]:
    """Count pixels at edges of depth, and those of them that hang in the air between two surfaces.

    Of five pixels in a row or column the outer pairs lie on a surface each, and the surfaces are a
    tenth of their depth apart; the middle one hangs in the air if it is on neither.

    Args:
        depth_m: float64 (h, w), NaN where nothing was measured.
    """
    edges = flying = 0
    for picture in (depth_m, depth_m.T):
        before, left, middle, right, after = (
            picture[:, n : picture.shape[1] - 4 + n] for n in range(5)
        )
        jump = np.abs(right - left)
        slack = _BETWEEN * jump
        with np.errstate(invalid="ignore"):  # NaN is never an edge
            edge = (jump > _JUMP * np.minimum(left, right)) & np.isfinite(middle)
            edge &= (np.abs(left - before) < slack) & (np.abs(after - right) < slack)
            apart = np.minimum(np.abs(middle - left), np.abs(middle - right)) > slack
            low, high = np.minimum(left, right), np.maximum(left, right)
            apart &= (middle > low) & (middle < high)
        edges += int(edge.sum())
        flying += int((edge & apart).sum())
    return edges, flying
