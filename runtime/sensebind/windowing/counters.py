# SPDX-License-Identifier: Apache-2.0
"""What became of every sample and every window of a stream."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class StreamCounters:
    """Counts of one stream; after `flush`, pushed = used + unused + late + duplicate + invalid.

    Samples (audio samples, IMU readings or frames):
        pushed: everything that arrived.
        used: inside the span of at least one emitted window.
        unused: accepted, but no emitted window's span holds it.
        late: older than the newest sample by more than the allowed lateness.
        duplicate: the stamp was there already; the first one stays.
        invalid: not finite, or a stamp outside 0..MAX_STAMP_NS.

    Windows that touch the stream:
        emitted: handed on.
        warming: too little coverage because the stream had just begun.
        gap: too little coverage because of missing samples.
        ending: too little coverage because the stream ended.

    Events:
        resets: backward jumps of the clock.
        gaps: pauses over the limit, each ends a segment.
        sparse: shorter spacings of readings that are bridged all the same, but not covered.
        relocks: lattice given up because stamps drifted away from it, or their clock was measured
            anew.
        rate_changes: sample rate or number of channels changed.
        filled: missing samples replaced by zeros (uniform streams).
        breaks: places where samples were lost on their way to the windower.
    """

    pushed: int = 0
    used: int = 0
    unused: int = 0
    late: int = 0
    duplicate: int = 0
    invalid: int = 0
    emitted: int = 0
    warming: int = 0
    gap: int = 0
    ending: int = 0
    resets: int = 0
    gaps: int = 0
    sparse: int = 0
    relocks: int = 0
    rate_changes: int = 0
    filled: int = 0
    breaks: int = 0

    @property
    def pending(self) -> int:
        """Samples whose fate is still open; 0 after `flush`."""
        return self.pushed - (self.used + self.unused + self.late + self.duplicate + self.invalid)

    def count_incomplete(
        self, *, head_missing: bool, tail_missing: bool, after_gap: bool, before_gap: bool
    ) -> None:
        """Count a window with too little coverage by what it lacks.

        Args:
            head_missing: it begins before its segment.
            tail_missing: it ends after its segment, which has ended.
            after_gap: the segment began after a gap, not with the stream.
            before_gap: another segment follows; the stream has not ended.
        """
        if head_missing and not after_gap:
            self.warming += 1
        elif tail_missing and not head_missing and not before_gap:
            self.ending += 1
        else:
            self.gap += 1
