# SPDX-License-Identifier: Apache-2.0
"""Offset and drift between the clocks of two streams: from a recording to a section."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from sensebind.calibration.correction import LARGEST_UNCERTAINTY_NS
from sensebind.errors import InputError
from sensebind.grid import NS_PER_S
from sensebind.sources.bags.source import BagSource
from sensebind.sources.base import without_breaks
from sensebind_calibration.clock_events import find_events, listener_of
from sensebind_calibration.clock_match import match_events
from sensebind_calibration.clock_receipts import compare_receipts
from sensebind_calibration.recording import dated
from sensebind_calibration.sections import ClockSection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sensebind.config import StreamConfig
    from sensebind.sources.base import Source
    from sensebind.types import Block
    from sensebind_calibration.clock_events import Activity, Listener
    from sensebind_calibration.clock_line import ClockLine
    from sensebind_calibration.sections import Method

_SHORTEST_S = 10.0
_LONGEST_S = 3600.0


@dataclass(slots=True)
class TwoStreams:
    """Two streams of an open recording.

    Attributes:
        source: the recording.
        stream: name of the one whose clock is to be calibrated.
        reference: name of the other.
        configs: how both are read, by name.
        serial: of the stream's sensor, "" if not told.
        notes: once it was read, what looked odd to the reader.
    """

    source: Source
    stream: str
    reference: str
    configs: dict[str, StreamConfig]
    serial: str = ""
    notes: list[str] = field(default_factory=list)

    def blocks(self) -> Iterator[Block]:
        """Read both in order of their stamps."""
        yield from without_breaks(self.source.blocks(self.configs, "stamp"))
        self.notes = list(self.source.report.notes)


def calibrate_clock(
    streams: TwoStreams,
    *,
    by: Method = "content",
    within_s: float = 5.0,
    drift: bool = True,
    serial: str = "",
    watch: Callable[[Iterable[Block]], Iterator[Block]] = iter,
) -> ClockSection:
    """Compare two clocks.

    Args:
        streams: of a recording, not read yet.
        by: common events, or arrivals (of bags, which keep them).
        within_s: largest offset that is looked for by content.
        drift: look for a drift, too; one that is not told from none is none.
        serial: of the stream's sensor, if known.
        watch: is shown the blocks as they are read.

    Raises:
        InputError: if the recording does not tell, with the reason and what to do.
    """
    if by == "stamps":
        found = _by_stamps(streams, drift=drift)
    else:
        found = _by_content(streams, watch, within_s, drift=drift)
    line = found.line
    return ClockSection(
        provenance=dated(
            streams.source.name,
            streams.source.sha256(),
            readings=line.count,
            duration_s=found.span_s,
            serial=serial or streams.serial,
        ),
        reference=streams.reference,
        offset_ns=round(line.offset_ns),
        reference_ns=line.at_ns,
        drift_ppm=line.drift_ppm if line.slope else 0.0,
        offset_interval_ns=line.offset_half_ns,
        drift_interval_ppm=line.drift_half_ppm,
        by=by,
        determined=("offset", "drift") if line.slope else ("offset",),
        matched=line.count,
        events=found.events,
        scatter_ns=line.scatter_ns,
        rival=found.rival,
    )


def doubts(section: ClockSection) -> Iterator[str]:
    """Sentences on what the recording did not tell, and for how long the rest holds."""
    if section.by == "stamps":
        yield (
            "arrivals tell the offset but for the difference of the two streams' least delays, "
            "which nobody sees from here; calibrate by content to have it"
        )
    if section.drift_interval_ppm > 0:
        left_ns = (LARGEST_UNCERTAINTY_NS**2 - section.offset_interval_ns**2) ** 0.5
        hours = left_ns / (section.drift_interval_ppm * 1e-6) / NS_PER_S / 3600
        yield (
            f"the clocks drift by {section.drift_ppm:.3g} ± {section.drift_interval_ppm:.2g} ppm, "
            f"so the offset is known for {hours:.1f} h before and after; later runs need clocks "
            "that are synchronised, or another calibration"
        )


class _Compared(NamedTuple):
    """The line between two clocks, the time it spans, and if by content what it stands on."""

    line: ClockLine
    span_s: float
    events: tuple[int, ...] = ()
    rival: float = 0.0


def _by_content(
    streams: TwoStreams,
    watch: Callable[[Iterable[Block]], Iterator[Block]],
    within_s: float,
    *,
    drift: bool,
) -> _Compared:
    activities = _activities(streams, watch)
    both = activities[streams.stream], activities[streams.reference]
    span_s = _common_s(*both)
    own, other = map(find_events, both)
    match = match_events(own, other, within_s=within_s, drift=drift)
    if drift and not match.line.drifts:
        match = match_events(own, other, within_s=within_s, drift=False)
    return _Compared(match.line, span_s, match.events, match.rival)


def _by_stamps(streams: TwoStreams, *, drift: bool) -> _Compared:
    source = streams.source
    if not isinstance(source, BagSource):
        raise InputError(
            "the recording keeps no receive times, which --by stamps compares; give one bag, or "
            "calibrate by content: --by content"
        )
    receipts = source.receipts(streams.configs)
    for name in (streams.stream, streams.reference):
        if name not in receipts:
            raise InputError(f"stream {name!r} has no messages of its own; give one that has")
    own, other = receipts[streams.stream], receipts[streams.reference]
    line = compare_receipts(own, other, drift=drift)
    if drift and not line.drifts:
        line = compare_receipts(own, other, drift=False)
    return _Compared(line, float(own.stamps_ns[-1] - own.stamps_ns[0]) / NS_PER_S)


def _activities(
    streams: TwoStreams, watch: Callable[[Iterable[Block]], Iterator[Block]]
) -> dict[str, Activity]:
    listeners: dict[str, Listener] = {}
    for block in watch(streams.blocks()):
        if block.stream not in listeners:
            listeners[block.stream] = listener_of(block)
        listeners[block.stream].add(block)
    for name in (streams.stream, streams.reference):
        if name not in listeners:
            raise InputError(f"stream {name!r} has no samples; is the right one chosen?")
    return {name: listener.activity() for name, listener in listeners.items()}


def _common_s(own: Activity, other: Activity) -> float:
    """Length of the shorter stream, which is to be neither too short nor too long."""
    spans = [float(a.stamps_ns[-1] - a.stamps_ns[0]) / NS_PER_S for a in (own, other)]
    if min(spans) < _SHORTEST_S or max(spans) > _LONGEST_S:
        raise InputError(
            f"the streams are {spans[0]:.1f} s and {spans[1]:.1f} s long, expected "
            f"{_SHORTEST_S:g} s to {_LONGEST_S:g} s; a minute or two with knocks is enough: "
            "record again, or choose a part by --from and --to"
        )
    return min(spans)
