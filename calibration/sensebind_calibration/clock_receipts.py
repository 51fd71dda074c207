# SPDX-License-Identifier: Apache-2.0
"""Two clocks compared by when their messages arrived.

No message arrives before its stamp, and some wait for nothing but the least delay. The recording is
cut into parts; in each the least delay is told by the two lowest (twice the lowest less the second:
what an exponential tail leaves between the lowest and the bound is on average what lies between the
two). A line through the parts maps stamps to receipt, for both streams; the difference is that of
their clocks, if their least delays are alike.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError
from sensebind.grid import NS_PER_S
from sensebind_calibration.clock_line import ClockLine, fit_line
from sensebind_calibration.recording import rises

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.sources.bags.receipts import Receipts

    Times = NDArray[np.int64]

_PARTS = 40
_FEWEST_PARTS = 8
_PER_PART = 10
_SHORTEST_S = 10.0
_ROUNDS = 3


def compare_receipts(stream: Receipts, reference: Receipts, *, drift: bool = True) -> ClockLine:
    """A line from the stream's stamps to the reference's.

    Raises:
        InputError: if either is too short, or its stamps are those of its receipt.
    """
    own = _delays(stream, "stream", drift=drift)
    other = _delays(reference, "reference", drift=drift)
    # receipt = stamp + offset + slope (stamp - at), of both; the reference's is inverted.
    slope = (1 + own.slope) / (1 + other.slope) - 1
    received_ns = own.at_ns + own.offset_ns
    since_ns = (received_ns - other.at_ns - other.offset_ns) / (1 + other.slope)
    return ClockLine(
        at_ns=own.at_ns,
        offset_ns=other.at_ns - own.at_ns + since_ns,
        slope=slope,
        offset_half_ns=math.hypot(
            own.offset_half_ns, other.offset_half_ns, other.slope_half * since_ns
        ),
        slope_half=math.hypot(own.slope_half, other.slope_half),
        scatter_ns=math.hypot(own.scatter_ns, other.scatter_ns),
        kept=own.kept,
    )


def _delays(receipts: Receipts, name: str, *, drift: bool) -> ClockLine:
    stamps_ns, receive_ns = receipts
    rising = rises(stamps_ns)
    stamps_ns, delays_ns = stamps_ns[rising], (receive_ns - stamps_ns)[rising]
    parts = min(_PARTS, len(stamps_ns) // _PER_PART)
    if parts < _FEWEST_PARTS or stamps_ns[-1] - stamps_ns[0] < _SHORTEST_S * NS_PER_S:
        raise InputError(
            f"the {name} has {len(stamps_ns)} messages with rising stamps, expected at least "
            f"{_FEWEST_PARTS * _PER_PART} over {_SHORTEST_S:g} s; record longer"
        )
    if not np.ptp(delays_ns):
        raise InputError(
            f"the {name}'s stamps are its receive times (or computed from them), which tell "
            "nothing of its own clock; calibrate by content: --by content"
        )
    places = np.array_split(np.arange(len(stamps_ns)), parts)
    since = (stamps_ns - stamps_ns[0]) / NS_PER_S
    slope_ns = 0.0
    for _ in range(_ROUNDS):
        flat = (delays_ns - delays_ns[0]) - slope_ns * since
        lowest = np.array([_two_lowest(flat, place) for place in places])
        chosen, second = lowest.T
        bound = 2 * flat[chosen] - flat[second] + slope_ns * since[chosen]
        line = fit_line(
            stamps_ns[chosen], np.rint(bound).astype(np.int64) + delays_ns[0], drift=drift
        )
        slope_ns = line.slope * NS_PER_S
    return line


def _two_lowest(flat: NDArray[np.float64], place: NDArray[np.intp]) -> NDArray[np.intp]:
    return place[np.argsort(flat[place], kind="stable")[:2]]
