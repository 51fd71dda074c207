# SPDX-License-Identifier: Apache-2.0
"""Which events of two streams are the same: cross-correlation of their instants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import poisson

from sensebind.errors import InputError
from sensebind.grid import NS_PER_S
from sensebind_calibration.clock_line import ClockLine, fit_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind_calibration.clock_events import Events

    Times = NDArray[np.int64]
    Values = NDArray[np.float64]

FEWEST = 8
_NARROWEST_S = 0.02
_LARGEST_SLOPE = 500e-6
_CHANCE = 1e-3
_IN_STEP = 0.6
_RIVAL = 0.6  # of the best offset's events; random ones share fewer
_RECORD = (
    "knock the robot, or clap beside it where both sensors see or hear it, twenty times and more "
    "with pauses of uneven length (half a second to three)"
)


@dataclass(frozen=True, slots=True)
class Match:
    """Two clocks compared by common events.

    Attributes:
        line: from the stream's stamps to the reference's.
        events: how many the stream and the reference have.
        rival: share of the best offset's events that the next best offset has.
    """

    line: ClockLine
    events: tuple[int, int]
    rival: float


def match_events(
    stream: Events, reference: Events, *, within_s: float, drift: bool = True
) -> Match:
    """Find the offset at which most events coincide, and fit a line to those that do.

    Args:
        stream: events by the clock to be calibrated.
        reference: events by the other one.
        within_s: largest offset that is looked for.
        drift: fit a drift, too.

    Raises:
        InputError: if there are too few events, none in common, or several offsets fit.
    """
    counts = len(stream.stamps_ns), len(reference.stamps_ns)
    if min(counts) < FEWEST:
        raise InputError(
            f"there are {counts[0]} events in the stream and {counts[1]} in the reference, "
            f"expected at least {FEWEST} in each: {_RECORD}"
        )
    begin_ns = int(stream.stamps_ns[0])
    own = (stream.stamps_ns - begin_ns) / NS_PER_S
    other = (reference.stamps_ns - begin_ns) / NS_PER_S
    width = max(_NARROWEST_S, 1.5 * (stream.resolution_s + reference.resolution_s))
    found = _correlate(own, other, within_s, width, drift=drift)
    _check(found, width, within_s)
    mine, theirs = _pairs(own, other, found.offset_s, found.slope, width)
    if len(mine) < FEWEST:
        raise InputError(
            f"{len(mine)} events coincide at an offset of {found.offset_s:.3f} s, expected at "
            f"least {FEWEST}: {_RECORD}"
        )
    stamps_ns = stream.stamps_ns[mine]
    differences_ns = reference.stamps_ns[theirs] - stamps_ns
    line = fit_line(stamps_ns, differences_ns, found.slope, drift=drift)
    return Match(_told_apart(line, stream, reference), counts, found.rival / found.best)


def _told_apart(line: ClockLine, stream: Events, reference: Events) -> ClockLine:
    """The line, with the error that does not average out where both sensors sample in step.

    Instants are then rounded alike: they agree better than their periods allow, and all of them are
    off by the same, up to half of both periods.
    """
    periods_ns = NS_PER_S * np.array([stream.resolution_s, reference.resolution_s])
    if line.scatter_ns >= _IN_STEP * float(np.linalg.norm(periods_ns)) / 12**0.5:
        return line
    half_ns = float(np.hypot(line.offset_half_ns, periods_ns.sum() / 2))
    return replace(line, offset_half_ns=half_ns)


@dataclass(frozen=True, slots=True)
class _Peak:
    """The best offset: events that coincide there, at the next best, and by chance."""

    offset_s: float
    slope: float
    best: int
    rival: int
    rival_s: float
    by_chance: float
    tried: int


def _correlate(own: Values, other: Values, within_s: float, width: float, *, drift: bool) -> _Peak:
    rows, columns = np.nonzero(np.abs(other[np.newaxis] - own[:, np.newaxis]) <= within_s)
    lags = other[columns] - own[rows]
    middle = float(own.mean())
    at = own[rows] - middle
    step = width / 2 / max(float(np.ptp(own)), width)
    reach = int(_LARGEST_SLOPE / step) if drift else 0
    slopes = np.arange(-reach, reach + 1) * step
    bins = int(np.ceil(2 * within_s / (width / 2))) + 3
    best: tuple[int, int, float, NDArray[np.intp]] | None = None
    for slope in slopes[np.argsort(np.abs(slopes), kind="stable")].tolist():
        places = np.floor((lags - slope * at + within_s) / (width / 2)).astype(np.intp) + 1
        counts = np.bincount(places.clip(0, bins - 1), minlength=bins)
        sums = counts[:-1] + counts[1:]  # bins of `width`, half over each other
        place = int(sums.argmax())
        if best is None or sums[place] > best[0]:
            best = int(sums[place]), place, slope, sums
    assert best is not None
    count, place, slope, sums = best
    far = np.abs(np.arange(len(sums)) - place) > 6  # three widths
    rival = int(np.argmax(np.where(far, sums, -1)))
    return _Peak(
        offset_s=place * width / 2 - within_s,
        slope=slope,
        best=count,
        rival=int(sums[rival]) if far[rival] else 0,
        rival_s=rival * width / 2 - within_s,
        by_chance=len(lags) * width / (2 * within_s),
        tried=len(sums) * len(slopes),
    )


def _check(peak: _Peak, width: float, within_s: float) -> None:
    by_luck = float(poisson.sf(peak.best - 1, max(peak.by_chance, 1e-9))) * peak.tried
    if peak.best > 1 and peak.rival > _RIVAL * peak.best:
        raise InputError(
            f"the events coincide at an offset of {peak.offset_s:.2f} s ({peak.best} of them) and "
            f"also at {peak.rival_s:.2f} s ({peak.rival}), so the offset is not told: they come at "
            f"even pauses, or have little in common; {_RECORD}"
        )
    if by_luck > _CHANCE:
        raise InputError(
            f"the streams have no events in common: at most {peak.best} coincide within "
            f"{width * 1e3:.0f} ms at any offset up to {within_s:g} s, as many as by chance; "
            f"{_RECORD}, or look farther by --within"
        )


def _pairs(
    own: Values, other: Values, offset_s: float, slope: float, width: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Events nearest to each other, both ways, within a width of the line."""
    due = own + offset_s + slope * (own - own.mean())
    theirs = _nearest(other, due)
    mine = _nearest(due, other)
    places = np.arange(len(own))
    mutual = (mine[theirs] == places) & (np.abs(other[theirs] - due) <= width)
    return places[mutual], theirs[mutual]


def _nearest(rising: Values, wanted: Values) -> NDArray[np.intp]:
    after = np.searchsorted(rising, wanted).clip(1, len(rising) - 1)
    nearer = wanted - rising[after - 1] <= rising[after] - wanted
    return np.where(nearer, after - 1, after)
