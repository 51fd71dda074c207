# SPDX-License-Identifier: Apache-2.0
"""Where a camera stands that looks at a model: moved until the model fills the frame."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FOVY_DEG = (40.0, 64.0)
"""Of the frame's height; depth cameras have 42 (structured light) to 65 (time of flight)."""
TURN_DEG = (-70.0, 70.0)
"""About the vertical axis; 0 looks at the model's front."""
ELEVATION_DEG = (2.0, 35.0)
HANGING_ELEVATION_DEG = (-20.0, 25.0)
"""How far a camera looks down; on what hangs, it also looks up."""
FILL = (0.8, 1.1)
"""Share of the frame's height that the model's box takes in its larger direction.

Above 1 a little is cut off.
"""
OFF_CENTRE = 0.05
"""Standard deviation of where it looks, as a share of the model's size."""
NEAREST_M = 0.3
"""Of the model's box: nearer, stereo measures nothing."""
FURTHEST_M = 6.0
"""Of the model's middle: what needs more to fit is seen in part; stereo ends at 8 m."""
LOWEST_M = 0.15
"""Above the floor."""


class Camera(NamedTuple):
    """A camera that looks at `target_m` (world, Z up) from `distance_m` away.

    azimuth_deg 90 looks along +y; elevation_deg is negative where it looks down.
    """

    target_m: Floats
    distance_m: float
    azimuth_deg: float
    elevation_deg: float
    fovy_deg: float

    def focal_px(self, height_px: int) -> float:
        """Focal length in pixels of a frame of that height."""
        return height_px / 2 / math.tan(math.radians(self.fovy_deg / 2))


def draw_camera(
    low_m: Floats, high_m: Floats, rng: np.random.Generator, *, hangs: bool = False
) -> Camera:
    """Draw a camera for a model's box, given by its corners `low_m` and `high_m` (3,)."""
    size = high_m - low_m
    target = (low_m + high_m) / 2 + rng.normal(0.0, OFF_CENTRE, 3) * size
    fovy, turn = rng.uniform(*FOVY_DEG), rng.uniform(*TURN_DEG)
    down = rng.uniform(*(HANGING_ELEVATION_DEG if hangs else ELEVATION_DEG))
    drawn = Camera(target, 1.0, 90.0 + turn, -down, fovy)
    corners = np.stack(np.meshgrid(*zip(low_m, high_m, strict=True)), axis=-1).reshape(-1, 3)
    distance = _distance_m(drawn, corners, rng.uniform(*FILL))
    return _above_floor(drawn._replace(distance_m=distance))


def _distance_m(camera: Camera, corners: Floats, fill: float) -> float:
    """From where the corners (n, 3) take the share `fill`, as far as the range allows."""
    right, up, forward = _axes(camera)
    offset = corners - camera.target_m
    ahead = offset @ forward
    aside = np.maximum(np.abs(offset @ right), np.abs(offset @ up))
    # A corner is at the share `fill` of the half frame from distance aside / (fill tan) - ahead.
    share = fill * math.tan(math.radians(camera.fovy_deg / 2))
    fitting = float((aside / share - ahead).max())
    return max(min(fitting, FURTHEST_M), NEAREST_M - float(ahead.min()))


def _axes(camera: Camera) -> tuple[Floats, Floats, Floats]:
    turn, tilt = math.radians(camera.azimuth_deg), math.radians(camera.elevation_deg)
    forward = np.array(
        [math.cos(tilt) * math.cos(turn), math.cos(tilt) * math.sin(turn), math.sin(tilt)]
    )
    right = np.array([math.sin(turn), -math.cos(turn), 0.0])
    return right, np.cross(right, forward), forward


def _above_floor(camera: Camera) -> Camera:
    """The same camera, turned down as far as it must be to stand above the floor."""
    height = camera.target_m[2] - LOWEST_M
    steepest = math.degrees(math.asin(min(1.0, max(-1.0, height / camera.distance_m))))
    return camera._replace(elevation_deg=min(camera.elevation_deg, steepest))
