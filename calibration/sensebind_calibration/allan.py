# SPDX-License-Identifier: Apache-2.0
"""Overlapping Allan deviation: how much the mean of a reading wanders from one span to the next.

Definition (IEEE Std 952-1997, annex C; NIST SP 1065, 5.2.4). With cumulative sums θ of n readings
at rate f and means over m readings, τ = m / f,

    σ²(τ) = mean over k of (θ[k + 2m] - 2 θ[k + m] + θ[k])² / (2 m²).

Every k is used up to m = FULL_OVERLAP; beyond, starts lie m / FULL_OVERLAP apart. Neighbours that
close hold nearly the same readings, so hardly anything is lost (the deviation changes by some
thousandths), and the work is linear in the number of readings however long the spans are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError
from sensebind_calibration._allan_kernels import second_differences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Values = NDArray[np.float64]

FULL_OVERLAP = 128
"""Longest span, in readings, of which every start is used."""

TAUS_PER_DECADE = 12
_LONGEST_SHARE = 1 / 9
"""Longest span as a share of the recording; fewer than nine spans tell next to nothing."""


@dataclass(frozen=True, slots=True)
class AllanCurve:
    """Allan deviations of one or more axes of a sensor.

    Attributes:
        rate_hz: readings per second.
        readings: how many there were.
        counts: int64 (taus,), readings averaged.
        taus_s: float64 (taus,), spans in seconds.
        deviations: float64 (axes, taus), in the readings' unit.
    """

    rate_hz: float
    readings: int
    counts: NDArray[np.int64]
    taus_s: Values
    deviations: Values

    @property
    def duration_s(self) -> float:
        """Length of the recording."""
        return self.readings / self.rate_hz


def span_counts(readings: int, per_decade: int = TAUS_PER_DECADE) -> NDArray[np.int64]:
    """Numbers of readings to average, log-spaced from 1 to a ninth of all of them."""
    longest = int(readings * _LONGEST_SHARE)
    if longest < 1:
        raise InputError(
            f"a recording of {readings} readings is too short for an Allan deviation; expected "
            "thousands"
        )
    steps = np.arange(np.floor(np.log10(longest) * per_decade) + 1) / per_decade
    return np.unique(np.rint(10**steps).astype(np.int64))


def allan_curve(
    sums: Sequence[Values], rate_hz: float, counts: NDArray[np.int64] | None = None
) -> AllanCurve:
    """The curve of axes whose readings were summed up (see `cumulative`).

    Args:
        sums: per axis float64 (n + 1,) C-contiguous cumulative sums; memory maps do as well.
        rate_hz: readings per second.
        counts: readings to average; `span_counts` if None.

    Raises:
        InputError: for another layout, or spans that do not fit into the recording.
    """
    readings = _checked(sums) - 1
    if counts is None:
        counts = span_counts(readings)
    if not (len(counts) and counts.min() >= 1 and 2 * counts.max() <= readings):
        raise InputError(
            f"spans of {counts} readings were asked for; expected at least one, and from 1 to "
            f"{readings // 2}, half the recording"
        )
    counts = np.ascontiguousarray(counts, np.int64)
    strides = np.maximum(1, counts // FULL_OVERLAP)
    squares = np.empty((len(sums), len(counts)))
    for theta, row in zip(sums, squares, strict=True):
        second_differences(theta, counts, strides, row)
    deviations = np.sqrt(squares / 2) / counts
    return AllanCurve(rate_hz, readings, counts, counts / rate_hz, deviations)


def cumulative(values: Values) -> Values:
    """Sums (n + 1,) of readings (n,), less the first one, which no Allan deviation depends on.

    So the sums stay small and keep their digits.
    """
    sums = np.zeros(len(values) + 1)
    np.cumsum(values - values[0], out=sums[1:])
    return sums


def _checked(sums: Sequence[Values]) -> int:
    sizes = {theta.size for theta in sums}
    plain = all(
        theta.dtype == np.float64 and theta.ndim == 1 and theta.flags.c_contiguous for theta in sums
    )
    if not plain or len(sizes) != 1:
        raise InputError(
            f"sums are {[(str(s.dtype), s.shape) for s in sums]}, expected contiguous float64 "
            "arrays of one length, one per axis"
        )
    return sizes.pop()
