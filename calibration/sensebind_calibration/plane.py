# SPDX-License-Identifier: Apache-2.0
"""The plane that a depth picture shows.

With x and y the picture's coordinates over the focal length, a plane is 1 / z = a·x + b·y + c: it
is linear in 1 / z, in which the noise of stereo cameras is even. Its normal is (a, b, c), and its
distance 1 / |(a, b, c)|. The fit begins at the best of some planes through three pixels each and
is repeated on the pixels near to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

_TRIALS = 60
_ROUNDS = 6
_MOST_PIXELS = 6000
_REACH = 3.5  # deviations from the plane that still belong to it
_LEAST_REACH = 0.002  # share of the depth: below, steps of the counts are all there is
FEWEST_PIXELS = 100
FLAT = 0.05
"""Pixels within this share of their depth lie on the plane."""


class Camera(NamedTuple):
    """Focal length and centre in pixels; a focal length of 0 is unknown.

    Attributes:
        focal_px: along x.
        centre_x, centre_y: where the optical axis meets the picture.
        width: of the frames this holds for; 0 if it is that of the frames at hand.
    """

    focal_px: float
    centre_x: float
    centre_y: float
    width: int = 0

    def for_width(self, width: int) -> Camera:
        """The same camera with its pictures resized."""
        if self.width in (0, width):
            return self
        share = width / self.width
        centre_x, centre_y = ((c + 0.5) * share - 0.5 for c in (self.centre_x, self.centre_y))
        return Camera(self.focal_px * share, centre_x, centre_y, width)


class Plane(NamedTuple):
    """A plane in front of the camera.

    Attributes:
        distance_m: from the camera, along its normal; along the optical axis without focal length.
        cosine: of its tilt; 1 without focal length.
        rms_m: deviation of the depths of its pixels.
        share: of the pixels, those that lie on it.
    """

    distance_m: float
    cosine: float
    rms_m: float
    share: float


def fit_plane(depth_m: Values, camera: Camera, left: int, top: int) -> Plane | None:
    """Fit to a part of a picture.

    Args:
        depth_m: float64 (h, w), NaN where nothing was measured.
        camera: of the whole picture.
        left: column of the picture at which the part begins.
        top: its row.

    Returns:
        None if too few pixels were measured.
    """
    rows, columns = np.nonzero(np.isfinite(depth_m))
    if len(rows) < FEWEST_PIXELS:
        return None
    step = max(1, len(rows) // _MOST_PIXELS)
    rows, columns = rows[::step], columns[::step]
    depths = depth_m[rows, columns]
    focal = camera.focal_px or float(max(depth_m.shape))
    x = (columns + left - camera.centre_x) / focal
    y = (rows + top - camera.centre_y) / focal
    design = np.stack([x, y, np.ones_like(x)], axis=1)
    normal = _robust(design, depths)
    if normal is None:
        return None
    off = 1 - depths * (design @ normal)  # of each depth, as a share of it
    near = _near(off)
    if not camera.focal_px:
        normal = normal * (0, 0, 1)
    distance = float(1 / np.linalg.norm(normal))
    return Plane(
        distance,
        min(1.0, float(normal[2]) * distance),
        float(np.sqrt(np.mean((off * depths)[near] ** 2))),
        float((np.abs(off) < FLAT).mean()),
    )


def _robust(design: Values, depths: Values) -> Values | None:
    inverse = 1 / depths
    normal = _best_of_three(design, inverse, depths)
    if normal is None:
        return None
    for _ in range(_ROUNDS):
        near = _near(1 - depths * (design @ normal))
        if near.sum() < FEWEST_PIXELS // 2:
            return None
        # Weighting by the depth makes it the relative errors that are least.
        weighted = design[near] * depths[near, np.newaxis]
        normal = np.asarray(np.linalg.lstsq(weighted, np.ones(len(weighted)), rcond=None)[0])
    return normal if normal[2] > 0 else None


def _best_of_three(design: Values, inverse: Values, depths: Values) -> Values | None:
    rng = np.random.default_rng(0)
    best: tuple[float, Values] | None = None
    for chosen in rng.integers(0, len(depths), (_TRIALS, 3)):
        corner = design[chosen]
        if abs(np.linalg.det(corner)) < 1e-6:
            continue
        normal = np.linalg.solve(corner, inverse[chosen])
        off = float(np.median(np.abs(1 - depths * (design @ normal))))
        if best is None or off < best[0]:
            best = off, normal
    return None if best is None else best[1]


def _near(off: Values) -> NDArray[np.bool_]:
    reach = _REACH * 1.4826 * float(np.median(np.abs(off)))
    return np.asarray(np.abs(off) < max(reach, _LEAST_REACH))
