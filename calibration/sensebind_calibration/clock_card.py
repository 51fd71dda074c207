# SPDX-License-Identifier: Apache-2.0
"""A section of a clock as text to read."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from sensebind.grid import NS_PER_S
from sensebind_calibration.cards import origin

if TYPE_CHECKING:
    from sensebind_calibration.sections import ClockSection

_NS_PER_MS = 1e6


def clock_card(stream: str, section: ClockSection) -> str:
    """Offset and drift of a stream's clock against another's."""
    offset_ms, half_ms = (n / _NS_PER_MS for n in (section.offset_ns, section.offset_interval_ns))
    drift, drifts = "none was told", ""
    if section.drift_interval_ppm:
        drifts = ", which drifts"
        drift = f"{section.drift_ppm:+.3g} ± {section.drift_interval_ppm:.2g} ppm (95 %)"
    stood_on = f"{section.matched} parts of the recording"
    if section.by == "content":
        own, other = section.events
        stood_on = (
            f"{section.matched} events of {own} and {other}, "
            f"± {section.scatter_ns / _NS_PER_MS:.1f} ms each; the next best offset fits "
            f"{section.rival:.0%} of them"
        )
    return "\n".join([
        f"{stream}: stamps by the clock of {section.reference} = stamp + offset{drifts}",
        f"from {origin(section.provenance)}, by {section.by}",
        f"  offset    {offset_ms:+.3f} ± {half_ms:.3f} ms (95 %) at {_instant(section)}",
        f"  drift     {drift}",
        f"  stands on {stood_on}",
    ])  # fmt: skip


def _instant(section: ClockSection) -> str:
    """The stamp at which the offset holds, as a time where it can be one."""
    seconds = section.reference_ns / NS_PER_S
    if seconds < 1e9:  # counted from somewhere else than 1970
        return f"stamp {seconds:.3f} s"
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
