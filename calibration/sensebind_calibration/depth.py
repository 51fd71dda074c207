# SPDX-License-Identifier: Apache-2.0
"""A depth camera's scale and offset from walls at known distances, and its defects.

calibrated = scale · (metres as read) + offset. For a wall whose normal is tilted by an angle, the
distance along the normal is scale · distance as read + offset · cos(angle). One distance tells the
scale, two and more that differ by a quarter tell the offset, too. A plane alone tells neither: a
wall that is read too far away is still flat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.errors import InputError
from sensebind_calibration.accelerometer import fit_linear
from sensebind_calibration.depth_view import LEAST_FILLED
from sensebind_calibration.levels import batch_mean
from sensebind_calibration.sense_sections import PlaneView

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from sensebind_calibration.depth_view import DepthView
    from sensebind_calibration.sections import Interval
    from sensebind_calibration.sense_sections import DepthSection

    Values = NDArray[np.float64]

TAPE_ERROR_M = 0.002
"""Standard error of a distance told, a good tape's and its holder's."""
NO_DISTANCE = (
    "no distance was told, so the scale is left at 1: measure from the camera's front glass to the "
    "wall and give --distance METRES"
)
_PLAUSIBLE = (0.8, 1.25)
_LEAST_SPREAD = 1.25
_DEAD = 0.1  # of the frames: a pixel measured less often never measures
_FEWEST_FRAMES_FOR_MAP = 10


class Seen(NamedTuple):
    """A view and the wall's true distance; None if it was not told."""

    view: DepthView
    true_m: float | None


@dataclass(frozen=True, slots=True)
class DepthFit:
    """Scale and offset, with 95 % intervals where they were told.

    Attributes:
        residual_m: root mean square of true less calibrated; None with too few to tell.
    """

    scale: float = 1.0
    scale_interval: Interval | None = None
    offset_m: float = 0.0
    offset_interval: Interval | None = None
    residual_m: float | None = None
    raw_residual_m: float | None = None

    @property
    def determined(self) -> tuple[str, ...]:
        """What was told."""
        told = {"scale": self.scale_interval, "offset": self.offset_interval}
        return tuple(name for name, interval in told.items() if interval is not None)


def summary(seen: Seen) -> PlaneView:
    """A view as the section has it.

    Raises:
        InputError: if it shows no wall at rest.
    """
    view = seen.view
    if view.filled < LEAST_FILLED or len(view.planes) < max(1, view.frames // 2):
        return PlaneView(true_m=seen.true_m, filled=view.filled, frames=view.frames)
    view.check_flat()
    tilt = math.degrees(math.acos(float(np.mean([plane.cosine for plane in view.planes]))))
    return PlaneView(
        distance_m=float(np.mean([plane.distance_m for plane in view.planes])),
        true_m=seen.true_m,
        tilt_deg=tilt if view.camera.focal_px else None,
        rms_m=float(np.median([plane.rms_m for plane in view.planes])),
        noise_m=None if math.isnan(view.noise_m) else view.noise_m,
        filled=view.filled,
        frames=view.frames,
    )


def fit_depth(walls: Sequence[Seen], tape_error_m: float = TAPE_ERROR_M) -> DepthFit:
    """Scale and offset from walls that were seen; those without a distance tell nothing.

    Args:
        walls: each of them shows a plane.
        tape_error_m: standard error of the distances told.

    Raises:
        InputError: if a distance differs so much that its unit must be wrong.
    """
    told = [(seen.view, seen.true_m) for seen in walls if seen.true_m is not None]
    if not told:
        return DepthFit()
    means = [batch_mean(np.array([p.distance_m for p in view.planes])) for view, _ in told]
    read = np.array([mean.value for mean in means])
    errors = np.array([mean.error for mean in means])
    true = np.array([value for _, value in told])
    cosines = np.array([float(np.mean([p.cosine for p in view.planes])) for view, _ in told])
    for one, other in zip(true, read, strict=True):
        _check_unit(float(one), float(other))
    weights = 1 / np.hypot(errors, tape_error_m)
    both = len(told) > 1 and true.max() / true.min() >= _LEAST_SPREAD
    design = np.stack([read, cosines], axis=1)[:, : 2 if both else 1]
    values, covariance, quantile = fit_linear(design, true, weights)
    halves = quantile * np.sqrt(np.diag(covariance))
    spans = [(float(v - h), float(v + h)) for v, h in zip(values, halves, strict=True)]
    left = design @ values - true
    return DepthFit(
        scale=float(values[0]),
        scale_interval=spans[0],
        offset_m=float(values[1]) if both else 0.0,
        offset_interval=spans[1] if both else None,
        residual_m=float(np.sqrt(np.mean(left**2))) if len(told) > len(values) else None,
        raw_residual_m=float(np.sqrt(np.mean((read - true) ** 2))),
    )


def range_limits(views: Sequence[PlaneView]) -> tuple[float | None, float | None]:
    """Nearest and farthest distance that was measured, where a nearer or farther one was not."""
    good = [v.true_m for v in views if v.true_m is not None and v.distance_m is not None]
    bad = [v.true_m for v in views if v.true_m is not None and v.distance_m is None]
    if not good:
        return None, None
    nearest, farthest = min(good), max(good)
    return (
        nearest if any(distance < nearest for distance in bad) else None,
        farthest if any(distance > farthest for distance in bad) else None,
    )


def dead_pixels(walls: Sequence[Seen]) -> NDArray[np.bool_] | None:
    """Pixels that measure in none of the views, bool (h, w); None if there are too few frames."""
    if sum(seen.view.frames for seen in walls) < _FEWEST_FRAMES_FOR_MAP:
        return None
    dead = [seen.view.measured < _DEAD * seen.view.frames for seen in walls]
    return np.asarray(np.logical_and.reduce(dead))


def doubts(section: DepthSection) -> Iterator[str]:
    """Sentences on what the recordings did not tell."""
    if "scale" not in section.determined:
        yield NO_DISTANCE
    elif "offset" not in section.determined:
        yield (
            "one distance tells the scale alone; record the wall from a second one, a quarter "
            "farther at least, to tell the offset, too"
        )
    if section.focal_px is None:
        yield (
            "no focal length is known, so distances are taken along the optical axis: let the "
            "camera look at the wall squarely, or give --stream TOPIC=depth,focal_px=PIXELS"
        )
    pixels = section.width * section.height
    if pixels and section.invalid_pixels > 0.3 * pixels:
        yield (
            f"{section.invalid_pixels / pixels:.0%} of the pixels never measure; did the wall fill "
            "the picture? What lies beside it and out of range is barred as well"
        )
    if section.edges == 0:
        yield "no edges of depth were seen, so flying pixels were not counted; see --scene"
    tilts = [view.tilt_deg for view in section.views if view.tilt_deg is not None]
    if tilts and max(tilts) > 20:
        yield (
            f"the wall is tilted by {max(tilts):.0f} degrees; its distance is the one along its "
            "own normal: was that measured?"
        )


def _check_unit(true_m: float, read_m: float) -> None:
    ratio = true_m / read_m
    if _PLAUSIBLE[0] < ratio < _PLAUSIBLE[1]:
        return
    tenfold = 10 ** round(math.log10(ratio))
    fits = tenfold != 1 and _PLAUSIBLE[0] < ratio / tenfold < _PLAUSIBLE[1]
    fix = (
        f"a factor of {tenfold:g}: the unit of the stream or of --distance is wrong; --distance is "
        "in metres, and --stream TOPIC=depth,scale=METRES_PER_COUNT tells the stream's"
        if fits
        else "no camera is that far off: was the distance of this wall measured, in metres?"
    )
    raise InputError(f"the camera says {read_m:.4g} m where {true_m:.4g} m were told; {fix}")
